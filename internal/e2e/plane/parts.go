package plane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// token is that of the one user, who may do everything. It is worth nothing
// outside of a plane, which nobody reaches from outside of the machine.
const token = "serin-e2e"

func (p *Plane) startEtcd(ctx context.Context) error {
	client, peer := "http://"+address(p.ports.etcd), "http://"+address(p.ports.etcdPeer)
	return p.startPart(ctx, Etcd, p.command("server",
		"--data-dir", p.Path("etcd"), "--unsafe-no-fsync", "--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer,
	), client+"/health")
}

func (p *Plane) startAPIServer(ctx context.Context) error {
	if err := os.WriteFile(p.Path("tokens.csv"), []byte(token+",admin,admin,system:masters\n"), 0o600); err != nil {
		return err
	}
	p.config = &rest.Config{
		Host: "https://" + address(p.ports.apiServer), BearerToken: token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: p.ca},
	}
	if _, err := p.WriteKubeconfig(kubeconfig, p.config); err != nil {
		return err
	}
	return p.startPart(ctx, APIServer, p.command("kube-apiserver",
		"--etcd-servers=http://"+address(p.ports.etcd),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port="+strconv.Itoa(p.ports.apiServer),
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.98.0.0/16",
		"--cert-dir="+p.Path("apiserver"), "--tls-cert-file="+p.Path(certFile), "--tls-private-key-file="+p.Path(keyFile),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+p.Path(keyFile),
		"--service-account-signing-key-file="+p.Path(keyFile),
		"--token-auth-file="+p.Path("tokens.csv"), "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
	), p.config.Host+"/readyz")
}

func (p *Plane) startControllerManager(ctx context.Context) error {
	return p.startPart(ctx, ControllerManager, p.command("kube-controller-manager",
		"--kubeconfig="+p.Kubeconfig(), "--leader-elect=false", "--kube-api-qps=1000", "--kube-api-burst=1000",
		"--controllers=deployment-controller,replicaset-controller,endpointslice-controller,garbage-collector-controller,namespace-controller,horizontal-pod-autoscaler-controller,resourcequota-controller",
		// Minutes on a cluster, and seconds here.
		"--horizontal-pod-autoscaler-sync-period=1s", "--horizontal-pod-autoscaler-downscale-stabilization=2s",
		"--horizontal-pod-autoscaler-cpu-initialization-period=1s", "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
		"--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(p.ports.controllers),
		"--cert-dir="+p.Path("controllers"), "--tls-cert-file="+p.Path(certFile), "--tls-private-key-file="+p.Path(keyFile),
	), "https://"+address(p.ports.controllers)+"/healthz")
}

// meshConfig is that of istiod.
//
//go:embed mesh.yaml
var meshConfig []byte

func (p *Plane) startIstiod(ctx context.Context) error {
	if err := p.createNamespace(ctx, "istio-system", nil); err != nil {
		return err
	}
	if err := os.WriteFile(p.Path("mesh.yaml"), meshConfig, 0o644); err != nil {
		return err
	}
	cmd := p.command("pilot-discovery", "discovery",
		"--kubeconfig="+p.Kubeconfig(), "--meshConfig="+p.Path("mesh.yaml"), "--ctrlz_port=0",
		"--httpAddr="+address(p.ports.istioHTTP), "--httpsAddr="+address(p.ports.istioWebhook),
		"--grpcAddr="+address(p.ports.istioXDS), "--secureGRPCAddr=", "--monitoringAddr="+address(p.ports.istioMonitoring),
		"--tlsCertFile="+p.Path(certFile), "--tlsKeyFile="+p.Path(keyFile), "--caCertFile="+p.Path(caFile),
	)
	cmd.Env = append(os.Environ(),
		"POD_NAMESPACE=istio-system", "POD_NAME=istiod-0", "ENABLE_CA_SERVER=false",
		"VALIDATION_WEBHOOK_CONFIG_NAME=", "INJECTION_WEBHOOK_CONFIG_NAME=", "PILOT_DEBOUNCE_AFTER=10ms",
		// What a stock Envoy has no filters for.
		"PILOT_ENABLE_METADATA_EXCHANGE=false", "PILOT_ENABLE_ALPN_FILTER=false")
	return p.startPart(ctx, Istiod, cmd, "http://"+address(p.ports.istioHTTP)+"/ready")
}

// Run starts a process that ends with the plane at the latest. What it prints goes
// into its log, unless the command says where else.
func (p *Plane) Run(name string, cmd *exec.Cmd) (*Process, error) {
	return p.nursery.start(name, p.Path(name+".log"), cmd)
}

// kubeconfig is the file that says what Config does.
const kubeconfig = "kubeconfig"

// Kubeconfig is the path of a file that says what Config does.
func (p *Plane) Kubeconfig() string { return p.Path(kubeconfig) }

// Path is where a file of that name is, or may be put: it goes away with the plane.
func (p *Plane) Path(name string) string { return filepath.Join(p.dir, name) }

func (p *Plane) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.programs.bin, program), args...)
	cmd.Dir = p.dir
	return cmd
}

func (p *Plane) client() (*http.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(p.ca) {
		return nil, errors.New("no certificate of the authority")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

func healthy(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return hopeless{err}
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s\n%s", url, response.Status, tail(text))
	}
	return err
}

// hopeless is an error that waiting does not mend.
type hopeless struct{ error }

func (h hopeless) Unwrap() error { return h.error }

// until tries again and again until there is no error, for at most a minute.
func until(ctx context.Context, try func(context.Context) error) error {
	const limit, pause = time.Minute, 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil || errors.As(err, new(hopeless)) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// WriteKubeconfig writes a file of that name that makes clients of others with
// what a configuration says of the server and the token. It returns its path, and
// goes away with the plane.
func (p *Plane) WriteKubeconfig(file string, c *rest.Config) (string, error) {
	const name = "plane"
	return p.Path(file), clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: c.Host, CertificateAuthorityData: c.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: c.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, p.Path(file))
}

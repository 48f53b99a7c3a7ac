package plane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"time"
)

// Scrape is how often Prometheus reads the metrics of a pod.
const Scrape = 200 * time.Millisecond

// istiodScrape is how often Prometheus reads istiod's own metrics, which are large.
const istiodScrape = time.Second

// MetricsPort is where Prometheus looks for the metrics of a pod.
const MetricsPort = 15020

// prometheusConfig makes Prometheus find the pods that want to be scraped as
// Istio's own addon does: by their annotation. It reaches them through a proxy,
// because their addresses exist only in the cluster. istiod is outside of it.
const prometheusConfig = `
global: {scrape_interval: %[1]s, scrape_timeout: %[1]s}
scrape_configs:
- job_name: kubernetes-pods
  metrics_path: /stats/prometheus
  proxy_url: http://%[2]s
  kubernetes_sd_configs: [{role: pod, kubeconfig_file: %[3]s}]
  relabel_configs:
  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], regex: "true", action: keep}
  - {source_labels: [__meta_kubernetes_pod_phase], regex: Running, action: keep}
  - {source_labels: [__meta_kubernetes_pod_ip], target_label: __address__, replacement: "$1:%[4]d"}
  - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
  - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
- job_name: istiod
  scrape_interval: %[5]s
  scrape_timeout: %[5]s
  static_configs: [{targets: [%[6]q]}]
`

func (p *Plane) startPrometheus(ctx context.Context) error {
	pods, err := p.servePods()
	if err != nil {
		return err
	}
	config := fmt.Sprintf(prometheusConfig, Scrape, pods, p.Kubeconfig(), MetricsPort, istiodScrape, address(p.ports.istioMonitoring))
	if err := os.WriteFile(p.Path("prometheus.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	return p.startPart(ctx, Prometheus, p.command("prometheus",
		"--config.file="+p.Path("prometheus.yaml"), "--storage.tsdb.path="+p.Path("prometheus"),
		"--web.listen-address="+address(p.ports.prometheus), "--log.level=warn", "--scrape.discovery-reload-interval="+Scrape.String(),
	), p.Prometheus()+"/-/ready")
}

// Prometheus is the URL of the Prometheus server. It scrapes the pods with the
// annotation prometheus.io/scrape: "true", and istiod.
func (p *Plane) Prometheus() string { return "http://" + address(p.ports.prometheus) }

// servePods starts an HTTP proxy to the pods and returns its address.
func (p *Plane) servePods() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	p.pods = &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite:   func(*httputil.ProxyRequest) {}, // the URL says where to
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) { return p.Dial(ctx, address) }},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}}
	go func() {
		if err := p.pods.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.logf("plane: the proxy to the pods: %v", err)
		}
	}()
	return l.Addr().String(), nil
}

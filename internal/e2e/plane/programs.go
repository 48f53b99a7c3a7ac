package plane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// module is the one whose go.mod has the programs as tools.
const module = "github.com/serin-go/serin/internal/e2e"

// kubernetesVersion is the one that go.mod has of k8s.io/kubernetes. A program that
// does not know its own version refuses to start.
const kubernetesVersion = "1.36.3"

// tags leave out of Prometheus all ways to find targets but Kubernetes.
const tags = "remove_all_sd,enable_kubernetes_sd"

// programs are the programs of a plane, and where things of theirs are.
type programs struct {
	root    string // the folder of this module
	istio   string // the folders of the modules istio.io/api and
	gateway string // sigs.k8s.io/gateway-api
	bin     string // the folder of the programs that are built
	envoy   string // the program, which is not built
	fetched bool   // by Install, as nobody has named an Envoy
}

// find says where the programs are, or will be. They are kept in the user's cache
// folder under a name that changes with everything that they are made of: to ask
// go whether they are up to date takes seconds.
func find(ctx context.Context) (programs, error) {
	cmd := command(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module, "istio.io/api", "sigs.k8s.io/gateway-api")
	text, err := cmd.Output()
	if err != nil {
		return programs{}, explained(cmd, err)
	}
	folders := strings.Split(string(text), "\n") // an empty one is not downloaded
	p := programs{root: folders[0], istio: folders[1], gateway: folders[2]}
	cache, err := os.UserCacheDir()
	if err != nil {
		return p, err
	}
	cache = filepath.Join(cache, "serin-e2e")
	key, err := buildKey(p.root)
	p.bin = filepath.Join(cache, key)
	p.envoy, p.fetched = findEnvoy(cache)
	return p, err
}

// missing says what of the programs is not there; nil is nothing.
func (p programs) missing() error {
	var errs []error
	if p.istio == "" || p.gateway == "" {
		errs = append(errs, errors.New("modules"))
	}
	files := []string{p.bin}
	if p.fetched {
		files = append(files, p.envoy)
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func buildKey(root string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOOS, runtime.GOARCH, tags, ldflags())
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

func ldflags() string {
	const set = " -X k8s.io/component-base/version."
	parts := strings.Split(kubernetesVersion, ".")
	return "-s -w" + set + "gitVersion=v" + kubernetesVersion + set + "gitMajor=" + parts[0] + set + "gitMinor=" + parts[1]
}

// command is one that ends, with all that it has started, when ctx does. Where the
// kernel can see to that, it ends with the thread that starts it too, and so with
// this process.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// explained is the error of a command with the end of what it said.
func explained(cmd *exec.Cmd, err error) error {
	said := []byte{}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		said = exit.Stderr
	}
	return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args[:2], " "), err, tail(said))
}

// tail returns the last lines of a log.
func tail(log []byte) string {
	const lines = 15
	all := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

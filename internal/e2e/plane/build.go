package plane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// module is the one whose go.mod has the programs as tools.
const module = "github.com/serin-go/serin/internal/e2e"

// kubernetesVersion is the one that go.mod has of k8s.io/kubernetes. A program that
// does not know its own version refuses to start.
const kubernetesVersion = "1.36.3"

// programs are what a build leaves behind.
var programs = []string{"server", "kube-apiserver", "kube-controller-manager", "pilot-discovery", "prometheus"}

// tags leave out of Prometheus all ways to find targets but Kubernetes.
const tags = "remove_all_sd,enable_kubernetes_sd"

// tools are the programs of the plane, built, and where things of theirs are.
type tools struct {
	bin     string // the folder of the programs
	istio   string // the folders of the modules istio.io/api and
	gateway string // sigs.k8s.io/gateway-api
}

// build returns the tools. They are kept in the user's cache folder under a name
// that changes with everything that they are made of: to ask go whether they are
// up to date takes seconds.
func build(ctx context.Context, logf func(string, ...any)) (tools, error) {
	// Of the last, only files that are no code are needed: no build fetches it.
	modules := []string{module, "istio.io/api", "sigs.k8s.io/gateway-api"}
	if _, err := goTool(ctx, ".", append([]string{"mod", "download"}, modules[1:]...)...); err != nil {
		return tools{}, err
	}
	text, err := goTool(ctx, ".", append([]string{"list", "-m", "-f", "{{.Dir}}"}, modules...)...)
	if err != nil {
		return tools{}, err
	}
	folders := strings.Split(strings.TrimSpace(text), "\n")
	if len(folders) != len(modules) {
		return tools{}, fmt.Errorf("the modules %q are in %q", modules, folders)
	}
	root := folders[0]
	cache, err := os.UserCacheDir()
	if err != nil {
		return tools{}, err
	}
	key, err := buildKey(root)
	if err != nil {
		return tools{}, err
	}
	t := tools{bin: filepath.Join(cache, "serin-e2e", key), istio: folders[1], gateway: folders[2]}
	if t.built() {
		return t, nil
	}
	logf("building etcd, kube-apiserver, kube-controller-manager, istiod and Prometheus into %s; that takes some minutes, once", t.bin)
	return t, t.compile(ctx, root)
}

// compile builds beside the place and then moves there, so that a build that is
// stopped half way, or two at once, do no harm.
func (t tools) compile(ctx context.Context, root string) error {
	parent := filepath.Dir(t.bin)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, "building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if _, err := goTool(ctx, root, "build", "-tags", tags, "-ldflags", ldflags(), "-o", tmp+"/", "tool"); err != nil {
		return err
	}
	if err := os.Rename(tmp, t.bin); err != nil && !t.built() {
		return err
	}
	return nil
}

func (t tools) built() bool {
	for _, name := range programs {
		if _, err := os.Stat(filepath.Join(t.bin, name)); err != nil {
			return false
		}
	}
	return true
}

func buildKey(root string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOARCH, tags, ldflags())
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

// goTool runs the go command and returns what it prints. The command ends with
// the thread that started it, and so with this process.
func goTool(ctx context.Context, dir string, args ...string) (string, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out, trouble bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = dir, &out, &trouble, attributes()
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, tail(trouble.Bytes()))
	}
	return out.String(), nil
}

// tail returns the last lines of a log.
func tail(log []byte) string {
	const lines = 15
	all := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

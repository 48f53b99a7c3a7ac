package plane

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"
)

// Part is a program of the plane.
type Part string

// The parts.
const (
	Etcd              Part = "etcd"
	APIServer         Part = "kube-apiserver"
	ControllerManager Part = "kube-controller-manager"
	Istiod            Part = "istiod"
	Prometheus        Part = "prometheus"
)

// part is how a program is run, and the process that does.
type part struct {
	command *exec.Cmd // never run: copies are
	url     string    // answers when all is well

	mu      sync.Mutex // held while it starts or is away
	process *Process   // the last one
}

// startPart starts a part and waits until its URL answers that all is well.
func (p *Plane) startPart(ctx context.Context, name Part, command *exec.Cmd, url string) error {
	part := &part{command: command, url: url}
	p.parts[name] = part
	part.mu.Lock()
	defer part.mu.Unlock()
	return p.run(ctx, name, part)
}

func (p *Plane) run(ctx context.Context, name Part, part *part) error {
	client, err := p.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	c := part.command
	cmd := &exec.Cmd{Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir}
	if part.process, err = p.Run(string(name), cmd); err != nil {
		return err
	}
	go p.tend(name, part, part.process)
	err = until(ctx, func(ctx context.Context) error {
		if err := part.process.ended(); err != nil {
			return hopeless{err}
		}
		return healthy(ctx, client, part.url)
	})
	if err != nil && !errors.As(err, new(hopeless)) {
		err = fmt.Errorf("%w\n%s", err, part.process.Log())
	}
	return err
}

// tend starts a part again that ends by itself, as whatever watches over it in a
// cluster does: the controllers give up if there is no API server for long.
func (p *Plane) tend(name Part, part *part, process *Process) {
	const pause = time.Second
	<-process.done
	time.Sleep(pause)
	part.mu.Lock()
	defer part.mu.Unlock()
	if part.process != process { // there is a new one
		return
	}
	if err := p.run(context.Background(), name, part); !errors.Is(err, errStopped) {
		p.logf("plane: %s had ended by itself and was started again: %v", name, err)
	}
}

// Crash ends a part without a warning, leaves it away for a while, starts it
// again where it was, with what it had stored, and waits until it is ready. When
// ctx ends, the part comes back at once. Crashes of one part come one after the
// other; those of several parts may overlap.
func (p *Plane) Crash(ctx context.Context, name Part, away time.Duration) error {
	part := p.parts[name]
	part.mu.Lock()
	defer part.mu.Unlock()
	part.process.Kill()
	select {
	case <-ctx.Done():
	case <-time.After(away):
	}
	if err := p.run(context.WithoutCancel(ctx), name, part); err != nil {
		return fmt.Errorf("plane: %s does not come back: %w", name, err)
	}
	return nil
}

package plane

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
)

// nursery starts processes and ends them. They end with this process, whatever
// becomes of it, where the kernel can see to that.
type nursery struct {
	starts chan func()

	mu      sync.Mutex
	running []*Process
	closed  bool
}

// Process is one of ours.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string // path
	done chan struct{}
	err  error // of cmd.Wait, when it is done
}

var errStopped = errors.New("the plane was stopped")

// newNursery returns a nursery. All processes are started by one thread: the
// kernel ends a child with the thread that started it, not with its process.
func newNursery() *nursery {
	n := &nursery{starts: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for start := range n.starts {
			start()
		}
	}()
	return n
}

// start runs a program whose output goes to the file log, but for what the command
// says.
func (n *nursery) start(name, log string, cmd *exec.Cmd) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stderr, cmd.SysProcAttr = out, attributes()
	if cmd.Stdout == nil {
		cmd.Stdout = out
	}
	p := &Process{name: name, cmd: cmd, log: log, done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, fmt.Errorf("%s: %w", name, errStopped)
	}
	started := make(chan error)
	n.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	n.running = append(n.running, p)
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// close ends all processes, the last one first, and waits until they are gone.
// Nothing of theirs is to be kept, so they are not asked.
func (n *nursery) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.closed = true
	for _, p := range slices.Backward(n.running) {
		p.Kill()
	}
	close(n.starts)
}

// Wait waits until the process has ended and returns its exit code, or -1 if a
// signal ended it.
func (p *Process) Wait() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Kill ends the process and what it started, and waits until it is gone.
func (p *Process) Kill() {
	select {
	case <-p.done: // its id may be somebody else's by now
	default:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the group may have ended this moment
		<-p.done
	}
}

// Ended waits until the process has ended and returns why, with the end of its log.
func (p *Process) Ended() error {
	<-p.done
	return fmt.Errorf("%s has ended: %w\n%s", p.name, cmp.Or(p.err, errors.New(p.cmd.ProcessState.String())), p.Log())
}

// ended is Ended for a process that may be running: nil if it is.
func (p *Process) ended() error {
	select {
	case <-p.done:
		return p.Ended()
	default:
		return nil
	}
}

// Log is the end of what the process has printed. Processes of one name share it.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return tail(b)
}

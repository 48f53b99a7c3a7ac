package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/internal/e2e/plane"
)

// troubles are what a rollout meets with, beside that its drivers are killed.
type troubles struct {
	badAt   int  // the step in which the canary turns bad, or never
	slow    bool // the way to the API server is a bad road
	crashes []crash
}

// crash is one of a part of the control plane.
type crash struct {
	part        plane.Part
	after, away time.Duration
}

const never = -1

// draw returns the troubles of a seed, for a plan of so many steps.
func draw(seed uint64, steps int) troubles {
	const latest = 8 * time.Second
	dice := rand.New(rand.NewPCG(seed, 0))
	t := troubles{badAt: never, slow: dice.IntN(2) == 0}
	if dice.IntN(3) == 0 {
		t.badAt = dice.IntN(steps)
	}
	for _, c := range []struct {
		part    plane.Part
		percent int
		longest time.Duration
	}{
		{plane.Etcd, 5, time.Second},
		{plane.APIServer, 15, time.Second},
		{plane.ControllerManager, 10, 2 * time.Second},
		{plane.Istiod, 20, 2 * time.Second},
		{plane.Prometheus, 30, 5 * time.Second},
	} {
		if dice.IntN(100) < c.percent {
			t.crashes = append(t.crashes, crash{c.part, upTo(dice, latest), upTo(dice, c.longest)})
		}
	}
	return t
}

func upTo(dice *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(dice.Int64N(int64(most)))
}

// crash crashes a part when its time has come, unless ctx ends before.
func (r *trial) crash(ctx context.Context, t *testing.T, c crash) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(c.after):
	}
	begin := time.Now()
	if err := controlPlane(t).Crash(context.WithoutCancel(ctx), c.part, c.away); err != nil {
		t.Errorf("seed %d: %v", r.seed, err)
	}
	r.tell("%s away from %.1f s on for %.1f s", c.part, c.after.Seconds(), time.Since(begin).Seconds())
}

// drive starts a driver, kills it at some moment and starts the next one, until
// one has come to the end.
func (r *trial) drive(ctx context.Context, t *testing.T, number uint64, config *rest.Config) {
	const least, usual = 50 * time.Millisecond, 1200 * time.Millisecond
	p := controlPlane(t)
	name := fmt.Sprintf("driver-%d-of-%s", number, r.namespace)
	kubeconfig, err := p.WriteKubeconfig(name+".kubeconfig", config)
	if err != nil {
		t.Error(err)
		return
	}
	for dice := rand.New(rand.NewPCG(r.seed, number)); ; r.kills.Add(1) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), driverNamespace+"="+r.namespace, driverPrometheus+"="+p.Prometheus(), "KUBECONFIG="+kubeconfig)
		driver, err := p.Run(name, cmd)
		if err != nil {
			t.Error(err)
			return
		}
		death := time.AfterFunc(least+time.Duration(dice.ExpFloat64()*float64(usual)), driver.Kill)
		code := driver.Wait()
		switch killed := !death.Stop(); {
		case !killed && code != 0:
			t.Errorf("seed %d: %s ended with %d\n%s", r.seed, name, code, driver.Log())
			return
		case !killed:
			return
		case ctx.Err() != nil:
			t.Errorf("seed %d: the rollout does not come to its end\n%s", r.seed, driver.Log())
			return
		}
	}
}

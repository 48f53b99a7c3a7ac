package workload

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-go/serin/canary"
)

// AtLeastOne is a Config.Capacity: one ready replica carries any share.
func AtLeastOne(canary.Weight, int) int { return 1 }

// proportional is the default Config.Capacity.
func proportional(share canary.Weight, stable int) int {
	parts := int64(share) * int64(stable)
	return int((parts + int64(canary.Full) - 1) / int64(canary.Full))
}

// need is how many replicas the canary needs for the traffic, if stable needs so many for all of
// it.
func (c Config) need(t canary.Traffic, stable int32) int32 {
	capacity := c.Capacity
	if capacity == nil {
		capacity = proportional
	}
	return int32(max(1, min(capacity(t.Canary, int(stable)), math.MaxInt32)))
}

// capacity is the content of Pin.Capacity: what carries all traffic.
type capacity struct {
	began    int32   // replicas that stable had when the rollout began; 0 if that is not known
	load     float64 // requests per second of both versions then; 0 if that is not known
	greatest int32   // replicas by the greatest load since
}

// reference reads a Pin.
func reference(pin canary.Pin) (c capacity, err error) {
	fields := strings.Fields(pin.Capacity)
	bad := fmt.Errorf(`%w: the pinned capacity is %q; want "replicas", or "replicas load greatest"`, canary.ErrBadState, pin.Capacity)
	switch len(fields) {
	case 0:
		return c, nil
	case 1:
		fields = append(fields, "0", "0")
	case 3:
	default:
		return c, bad
	}
	began, err1 := strconv.ParseInt(fields[0], 10, 32)
	load, err2 := strconv.ParseFloat(fields[1], 64)
	greatest, err3 := strconv.ParseInt(fields[2], 10, 32)
	if err1 != nil || err2 != nil || err3 != nil || began < 0 || !(load >= 0) || math.IsInf(load, 0) || greatest < 0 {
		return c, bad
	}
	return capacity{int32(began), load, int32(greatest)}, nil
}

// String is the content of Pin.Capacity.
func (c capacity) String() string {
	if c.load == 0 {
		return strconv.Itoa(int(c.began))
	}
	return fmt.Sprintf("%d %s %d", c.began, strconv.FormatFloat(c.load, 'g', 6, 64), c.greatest)
}

// replicas is how many carry all traffic; 0 if that is not known.
func (c capacity) replicas() int32 { return max(c.began, c.greatest) }

// words say where the number of replicas comes from.
func (c capacity) words(stable string) string {
	if c.greatest > c.began {
		return fmt.Sprintf("the %d that stable %s needs at the highest load so far; it had %d when the rollout began", c.greatest, stable, c.began)
	}
	return fmt.Sprintf("the %d that stable %s had when the rollout began", c.began, stable)
}

// tolerance is how much the load must grow before it counts, as with a HorizontalPodAutoscaler.
const tolerance = 1.1

// grown returns the capacity at a load, if stable may have so many replicas at most.
func (c capacity) grown(load float64, most int32) capacity {
	if c.load <= 0 || !(load > 0) {
		return c
	}
	wants := math.Ceil(float64(c.began) * load / c.load)
	if wants > tolerance*float64(c.replicas()) {
		c.greatest = max(c.greatest, int32(min(wants, float64(most))))
	}
	return c
}

// carrying is how many replicas of stable carry all traffic: those that it has, or is to have if all
// are away at the time.
func carrying(stable *appsv1.Deployment) int32 {
	return cmp.Or(stable.Status.AvailableReplicas, replicas(stable))
}

// began is the capacity when the rollout begins. Without a load it stays as it is. If the canary has
// live traffic already, as after Runner.AdoptAt, stable may have shrunk since: then the greater one
// counts.
func (d *Deployments) began(ctx context.Context, stable, source *appsv1.Deployment, t canary.Traffic) capacity {
	c := capacity{began: carrying(stable)}
	if t.Canary > 0 {
		c.began = max(c.began, source.Status.AvailableReplicas)
	}
	if d.config.Load != nil {
		c.load, _ = d.load(ctx) // Check tells of an error
	}
	return c
}

// load is what Config.Load returns, which gets as long as the pods; 0 with an error.
func (d *Deployments) load(ctx context.Context) (load float64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listing, fmt.Errorf("no answer within %v", listing))
	defer cancel()
	err = safely(ctx, "Config.Load", func() (err error) {
		load, err = d.config.Load(ctx)
		return err
	})
	if err == nil && (!(load >= 0) || math.IsInf(load, 0)) {
		err = fmt.Errorf("Config.Load returned %v", load)
	}
	if err != nil {
		return 0, err
	}
	return load, nil
}

// follow returns the reference by the load now. It never falls.
func (d *Deployments) follow(ctx context.Context, q canary.Question, c capacity) (capacity, error) {
	if c.load == 0 || d.config.Load == nil || d.config.Scaling.Stable == nil || q.Traffic.Canary == 0 {
		return c, nil
	}
	load, err := d.load(ctx)
	if err != nil {
		return c, fmt.Errorf("the load is not known: %w", err)
	}
	if c.grown(load, math.MaxInt32) == c {
		return c, nil
	}
	var most int32
	err = safely(ctx, "a Floor", func() (err error) {
		_, most, err = d.config.Scaling.Stable.Bounds(ctx)
		return err
	})
	return c.grown(load, most), err
}

// carries says whether the canary has the replicas for the traffic. If it only lacks some, help says
// who adds them.
func (c Config) carries(source *appsv1.Deployment, t canary.Traffic, ref capacity) (a canary.Answer, help string) {
	a, has := serving("canary", source), source.Status.AvailableReplicas
	need := c.need(t, ref.replicas())
	switch {
	case c.idle(source):
		return canary.Yes.Because("canary %s: it starts with its first request", source.Name), ""
	case a.Reply == canary.No:
		return a, ""
	case has < need && ref.replicas() > 0:
		return canary.Wait.Because("%s, and %v of the traffic needs %d, by %s", a.Reason, t.Canary, need, ref.words(c.Stable)), c.help(source)
	case has >= need && scaled(source):
		return canary.Yes.Because("canary %s: %d replicas available", source.Name, has), ""
	}
	return a, ""
}

// help says who adds replicas to the canary.
func (c Config) help(source *appsv1.Deployment) string {
	switch f := c.Scaling.Canary; {
	case off(f, replicas(source)):
		return "a HorizontalPodAutoscaler leaves it alone as long as it is scaled to zero; scale it to 1"
	case scales(f):
		return "it is being scaled up"
	}
	return "scale the canary up, or set Config.Scaling or Config.Capacity"
}

// idle reports whether requests are to start the canary, and it waits for the first one.
func (c Config) idle(source *appsv1.Deployment) bool {
	return c.FromZero && source != nil && replicas(source) == 0
}

// scaled reports whether the version of a Deployment was rolled out before, so that nothing but
// its number of replicas is under way.
func scaled(d *appsv1.Deployment) bool {
	s := &d.Status
	return condition(d, appsv1.DeploymentProgressing).Reason == newReplicaSetAvailable && d.Generation == s.ObservedGeneration && s.Replicas == s.UpdatedReplicas
}

// headroom is how much more a pod carries than what it had to when the rollout began: an
// autoscaler that follows the traffic leaves stable no shortfall.
const headroom = 1.25

// shortfall is the share of the traffic for which stable has no ready replicas.
func (c capacity) shortfall(ready int32) canary.Weight {
	if c.replicas() == 0 {
		return 0
	}
	carried := headroom * float64(ready) / float64(c.replicas())
	return canary.Weight(max(0, 1-carried) * float64(canary.Full))
}

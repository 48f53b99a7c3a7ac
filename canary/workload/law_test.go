package workload_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
)

// Whatever drivers of this and of earlier rollouts do, in whatever order their
// requests arrive, and wherever they crash or lose an answer: stable runs what it
// ran when the rollout began, or what the rollout promotes, each only when it
// may; and when the rollout is over it is the one that the outcome says.
func TestStableIsNeverOnAVersionThatTheRolloutDoesNotAllow(t *testing.T) {
	for name, exact := range map[string]bool{"rollouts name their images": true, "rollouts take what the canary runs": false} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := &world{cluster: newCluster(t), exact: exact, serial: 100}
				w.begin(t)
				defer w.end()
				t.Repeat(map[string]func(*rapid.T){
					"":        w.check,
					"begin":   w.begin,
					"promote": w.promote, "promote or abort": w.advance,
					"rewrite": w.rewrite,
					"turn":    w.turn, "another turn": w.turn, "a third turn": w.turn,
					"late turn": w.lateTurn, "call": w.callNow, "late call": w.callLate,
					"step": w.step, "another step": w.step,
					"lose": w.lose, "crash": w.crash,
					"finish": func(*rapid.T) { w.finish(both.Stable) },
					"touch":  w.touch, "meddle": w.meddle,
				})
			})
		})
	}
}

type phase int

const (
	progressing phase = iota
	promoting
	returning
	restoring
	promoted
	rolledBack
)

// view is the rollout as its State tells it to a driver.
type view struct {
	phase  phase
	fence  canary.Fence
	config workload.Config
}

// world is one stable Deployment and the rollouts that pass over it. It moves
// through their phases as canary.Plan does.
type world struct {
	cluster
	exact        bool // each rollout names its image
	phase        phase
	serial       int64
	config       workload.Config
	base, target string
	rollouts     int
	views        []view // those that asked something of the Workload
	calls        []*driverCall
}

// begin lets the next rollout begin, if the last is over.
func (w *world) begin(t *rapid.T) {
	if w.phase == restoring || w.phase == promoting || w.phase == returning || w.phase == progressing && w.rollouts > 0 {
		return
	}
	w.base = w.images(both.Stable)["reviews"]
	w.rollouts++
	fresh := fmt.Sprintf("reviews:r%d", w.rollouts)
	options := []string{fresh}
	if w.phase == rolledBack {
		options = append(options, w.target) // a retry
	}
	options = append(options, w.base) // a rollout of what runs already
	w.target = rapid.SampledFrom(options).Draw(t, "target")
	w.config = both
	if w.exact {
		w.config.Images = map[string]string{"reviews": w.target}
	}
	w.setImage(both.Canary, w.target)
	w.finish(both.Canary)
	w.serial++
	pin := func() canary.Answer {
		_, a, err := w.workload(w.config).Pin(context.Background(), canary.Question{Fence: w.fence(), Promotes: true})
		require.NoError(w, err)
		return a
	}
	if a := pin(); a.Reply == canary.Wait { // for a stable that another rollout left between two versions
		w.finish(both.Stable)
	}
	require.Equal(w, canary.Yes, pin().Reply)
	w.enter(progressing)
}

func (w *world) enter(p phase) {
	w.phase = p
	w.serial++
	if p == promoting || p == restoring {
		w.views = append(w.views, view{p, w.fence(), w.config})
	}
}

func (w *world) fence() canary.Fence {
	return canary.Fence{Rollout: fmt.Sprint(w.rollouts), Serial: w.serial}
}

func (w *world) promote(*rapid.T) {
	if w.phase == progressing {
		w.enter(promoting)
	}
}

// advance begins to promote, aborts, or ends.
func (w *world) advance(t *rapid.T) {
	switch w.phase {
	case progressing:
		w.enter(promoting)
	case promoting:
		w.enter(restoring)
	case returning:
		w.enter(rapid.SampledFrom([]phase{promoted, restoring}).Draw(t, "after returning"))
	}
}

// rewrite is a write of the State within its phase.
func (w *world) rewrite(*rapid.T) { w.enter(w.phase) }

// turn is a call of the present driver that nothing comes between, but that
// stable has finished its rollout before.
func (w *world) turn(t *rapid.T) {
	w.finish(both.Stable)
	w.callNow(t)
	w.rush()
}

func (w *world) lateTurn(t *rapid.T) {
	w.callLate(t)
	w.rush()
}

// rush lets the newest call through to its end.
func (w *world) rush() {
	for n := len(w.calls); n > 0 && len(w.calls) == n; {
		w.let(n - 1)
	}
}

func (w *world) callNow(*rapid.T) {
	if w.phase == promoting || w.phase == restoring {
		w.call(w.views[len(w.views)-1])
	}
}

func (w *world) callLate(t *rapid.T) {
	if len(w.views) > 0 {
		w.call(rapid.SampledFrom(w.views).Draw(t, "view"))
	}
}

func (w *world) call(v view) {
	c := &driverCall{view: v}
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		d, err := workload.New(interrupted{w.client, c, func() bool { return yield(struct{}{}) }}, v.config)
		require.NoError(w, err)
		do := d.Promote
		if v.phase == restoring {
			do = d.Restore
		}
		c.answer, c.err = do(context.Background(), canary.Question{Fence: v.fence})
	})
	if _, more := c.next(); more {
		w.calls = append(w.calls, c)
	}
}

// step lets one request of one call through.
func (w *world) step(t *rapid.T) {
	if i, ok := w.draw(t); ok {
		w.let(i)
	}
}

func (w *world) lose(t *rapid.T) {
	if i, ok := w.draw(t); ok {
		w.calls[i].lost = true
		w.let(i)
	}
}

func (w *world) crash(t *rapid.T) {
	if i, ok := w.draw(t); ok {
		w.calls[i].stop()
		w.calls = append(w.calls[:i:i], w.calls[i+1:]...)
	}
}

func (w *world) draw(t *rapid.T) (int, bool) {
	if len(w.calls) == 0 {
		return 0, false
	}
	return rapid.IntRange(0, len(w.calls)-1).Draw(t, "call"), true
}

func (w *world) let(i int) {
	c := w.calls[i]
	if _, more := c.next(); more {
		return
	}
	w.calls = append(w.calls[:i:i], w.calls[i+1:]...)
	if c.err == nil && c.answer.Reply == canary.Yes && c.fence.Serial == w.serial {
		w.hear(c)
	}
}

// hear acts on a Yes to the State that still stands.
func (w *world) hear(c *driverCall) {
	switch w.phase {
	case promoting:
		require.Equal(w, w.target, w.images(both.Stable)["reviews"])
		w.enter(returning)
	case restoring:
		require.Equal(w, w.base, w.images(both.Stable)["reviews"])
		w.enter(rolledBack)
	}
}

// touch changes what is none of the Workload's business.
func (w *world) touch(*rapid.T) {
	w.change(both.Stable, func(d *appsv1.Deployment) { *d.Spec.Replicas = 4 - *d.Spec.Replicas%2 })
}

// meddle changes the canary where the package comment promises to notice: after
// the first write of the rollout, or at any time if that names its image.
func (w *world) meddle(*rapid.T) {
	record := w.get(both.Stable).Annotations[workload.Annotation]
	if w.exact || strings.Contains(record, fmt.Sprintf(`"rollout":%q`, w.fence().Rollout)) {
		w.setImage(both.Canary, "reviews:unjudged")
		w.finish(both.Canary)
	}
}

func (w *world) check(*rapid.T) {
	allowed := map[phase][]string{
		progressing: {w.base}, rolledBack: {w.base},
		promoting: {w.base, w.target}, restoring: {w.base, w.target},
		returning: {w.target}, promoted: {w.target},
	}[w.phase]
	require.Contains(w, allowed, w.images(both.Stable)["reviews"])
}

func (w *world) end() {
	for _, c := range w.calls {
		c.stop()
	}
}

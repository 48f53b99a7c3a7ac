// Package traffic lets requests pass a mesh: many equal ones at once, whose outcomes
// are drawn, and real ones, which handlers answer.
package traffic

import (
	"net/http"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/chance"
	"github.com/serin-go/serin/fake/internal/latency"
	"github.com/serin-go/serin/fake/internal/proxies"
	"github.com/serin-go/serin/fake/internal/relay"
	"github.com/serin-go/serin/fake/internal/rules"
	"github.com/serin-go/serin/fake/internal/telemetry"
)

// Net is what requests meet. New makes one. Wait and the handlers that Handler
// returns are safe for concurrent use, all else is not.
type Net struct {
	// Dice decide every draw.
	Dice chance.Dice
	// Views are what the proxies know; they must be there when a request comes.
	Views *proxies.Views
	// Recorder counts the requests.
	Recorder *telemetry.Recorder
	// Versions are how the pods of an image answer, as far as is known.
	Versions map[string]*Version
	// Crashed are the workloads whose pods cannot be reached.
	Crashed map[types.NamespacedName]bool
	// meters are what pods that have a capacity receive.
	meters map[armKey]*meter
	// Handlers answer the real requests to the pods of an image.
	Handlers map[string]http.Handler

	usual   *Version // of other images
	now     func(do func())
	senders senders
	copies  chan struct{} // a token for each mirrored request under way
	running *relay.Background
}

// Version is how the pods of an image answer.
type Version struct {
	// ErrorRate is the share of requests, 0 to 1, that are answered with Status. All
	// others are answered with 200.
	ErrorRate float64
	// Status is that of failing requests.
	Status int
	// Durations are how long answers take.
	Durations *latency.Distribution
	// Capacity is how many requests per second a pod can answer; 0 is no limit.
	Capacity float64
}

// maxCopies is how many mirrored requests may be under way at once.
const maxCopies = 64

// New returns a Net without Views. Pods of other images than those of Versions
// answer like the usual Version. Handlers reach the Net through now alone, which
// brings everything up to date and keeps others away meanwhile.
func New(dice chance.Dice, r *telemetry.Recorder, usual *Version, now func(do func())) *Net {
	return &Net{
		Dice: dice, Recorder: r, usual: usual, now: now,
		Versions: map[string]*Version{},
		Crashed:  map[types.NamespacedName]bool{},
		Handlers: map[string]http.Handler{},
		meters:   map[armKey]*meter{},
		senders:  senders{},
		copies:   make(chan struct{}, maxCopies),
		running:  relay.NewBackground(),
	}
}

// version returns how the pods of an image answer.
func (n *Net) version(image string) *Version {
	if v, ok := n.Versions[image]; ok {
		return v
	}
	return n.usual
}

// Outcome is what became of a request.
type Outcome struct {
	// Workload, Revision and Image are those of the pod that answered; "" if none
	// did.
	Workload, Revision, Image string
	// Code is the status of the answer.
	Code int
	// Flags is Envoy's response flags, separated by commas.
	Flags string
	// Mirrored is a copy, whose answer nobody saw.
	Mirrored bool
}

// Tally counts outcomes.
type Tally interface {
	// Add counts n requests with an outcome.
	Add(o Outcome, n uint64)
}

// outcomes is a Tally of few requests.
type outcomes []Outcome

func (all *outcomes) Add(o Outcome, _ uint64) { *all = append(*all, o) }

// Send lets k equal requests enter by the proxies in equal parts.
func (n *Net) Send(k uint64, c *rules.Call, result Tally) {
	left := uint64(n.Views.Len())
	for _, v := range n.Views.Served() {
		part := n.Dice.Portion(k, v.Proxies, left)
		k, left = k-part, left-v.Proxies
		if part > 0 {
			f := n.newFlow(v.Held, c)
			f.result = result
			f.pass(part)
		}
	}
}

// Handler returns a handler through which real requests enter. A function says what
// each of them asks for.
func (n *Net) Handler(called func(*http.Request) *rules.Call) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil {
			r = r.WithContext(r.Context())
			r.Body = http.NoBody
		}
		n.meet(called(r)).serve(w, r)
	})
}

// Wait waits until no mirrored request is under way, and no handler that took too
// long still runs.
func (n *Net) Wait() { n.running.Wait() }

package fake

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/fake/internal/autoscalers"
	"github.com/serin-go/serin/fake/internal/chance"
	"github.com/serin-go/serin/fake/internal/deployments"
	"github.com/serin-go/serin/fake/internal/rules"
	"github.com/serin-go/serin/fake/internal/telemetry"
	"github.com/serin-go/serin/fake/internal/traffic"
)

// Config says how a Mesh behaves. In the zero Config proxies learn of each change at
// once. Durations below zero count as zero.
type Config struct {
	// Seed decides every draw: same seed, same run.
	Seed uint64
	// Versions is how pods behave, by the image of their first container. Pods of other
	// images have the zero Behaviour.
	Versions map[string]Behaviour
	// Delay is how long a change of an object takes to reach the first proxy, and
	// Spread how much later it reaches the last one.
	Delay, Spread time.Duration
	// Scrape is how often the counters are read, as Prometheus does; 0 is 15 s.
	Scrape time.Duration
	// Retention is how long readings are kept; 0 is 6 h.
	Retention time.Duration
	// Start is how long a new pod takes to become ready; 0 is 2 s.
	Start time.Duration
	// Room is how many pods of Deployments fit on the nodes in all; 0 or less is no limit.
	// See Mesh.Room.
	Room int
	// Reaction is how long the Deployment controller takes to see a change; 0 is
	// 50 ms.
	Reaction time.Duration
}

func (c Config) withDefaults() Config {
	c.Delay, c.Spread = max(0, c.Delay), max(0, c.Spread)
	c.Scrape = positive(c.Scrape, 15*time.Second)
	c.Retention = positive(c.Retention, 6*time.Hour)
	c.Start = positive(c.Start, 2*time.Second)
	c.Reaction = positive(c.Reaction, 50*time.Millisecond)
	return c
}

// positive returns d, or if that is nothing, otherwise.
func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Mesh is a simulated service mesh. It reads its objects from an API server and
// routes requests by them. All its methods are safe for concurrent use.
type Mesh struct {
	config Config
	server *apiserver.Server
	inbox  inbox

	mu          sync.Mutex
	clock       time.Time            // everything up to here has happened
	behaviours  map[string]Behaviour // by image
	net         *traffic.Net         // what requests meet
	streams     []*stream
	controller  *deployments.Controller
	autoscalers *autoscalers.Controller
	// weighing is when what overloaded pods receive is compared next; zero if no pod can
	// be overloaded.
	weighing time.Time
	alarm    alarm
	usages   []deployments.Usage // of quotas, as their status says
	problems []error
}

// NewMesh returns a mesh over the objects of a server. The pods of Deployments that exist
// already are ready. Deployments that change later are rolled out over time.
//
// The mesh follows the server for the server's whole life, and writes the status of
// Deployments, autoscalers and quotas of pods, and the replicas that autoscalers ask for.
// It writes without requests: no hook of the server sees it. Other listeners (OnChange)
// must not call the mesh.
func NewMesh(server *apiserver.Server, c Config) *Mesh {
	c = c.withDefaults()
	now := time.Now()
	m := &Mesh{
		config:     c,
		server:     server,
		clock:      now,
		behaviours: map[string]Behaviour{},
	}
	m.net = traffic.New(
		chance.New(c.Seed), telemetry.NewRecorder(now, c.Scrape, c.Retention), Behaviour{}.version(), m.look)
	for image, b := range c.Versions {
		m.behave(image, b)
	}
	m.begin(now)
	return m
}

// Send sends n equal requests now and returns their outcomes.
func (m *Mesh) Send(n int, r Request) Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(time.Now())
	return m.send(uint64(max(0, n)), r.call())
}

// send lets n requests flow at the moment up to which everything has happened.
func (m *Mesh) send(n uint64, c *rules.Call) Result {
	var result Result
	m.net.Send(n, c, (*tally)(&result))
	return result
}

// Behave changes how the pods of an image behave, from now on.
func (m *Mesh) Behave(image string, b Behaviour) {
	m.now(func() { m.behave(image, b) })
}

func (m *Mesh) behave(image string, b Behaviour) {
	m.behaviours[image], m.net.Versions[image] = b, b.version()
	if b.Capacity > 0 && m.weighing.IsZero() {
		m.weighing = m.clock.Add(time.Second)
	}
}

// Crash makes the pods of a workload unreachable (503, flag UF) if crashed is true; their
// endpoints stay. If it is false, the pods become reachable again.
func (m *Mesh) Crash(namespace, workload string, crashed bool) {
	m.now(func() { m.net.Crashed[types.NamespacedName{Namespace: namespace, Name: workload}] = crashed })
}

// Restart restarts the proxies of a workload: their counters begin at 0 again.
func (m *Mesh) Restart(namespace, workload string) {
	m.now(func() { m.net.Recorder.Restart(namespace, workload) })
}

// Stall stops the propagation of changes to all proxies, or resumes it: then all proxies
// learn at once what they missed. Earlier changes that have not reached a proxy are
// stopped too.
func (m *Mesh) Stall(stalled bool) {
	m.now(func() { m.net.Views.Stall(stalled, m.clock) })
}

// Problems returns an error for each object that cannot be decoded or that Istio's
// validation refuses. The last good form of such an object stays in force.
func (m *Mesh) Problems() []error {
	var all []error
	m.look(func() { all = append(all, m.problems...) })
	return all
}

// Refused returns the present rules that Envoy rejects although the API server and
// Istio's validation accept them. Each error names the VirtualService, the place in it,
// and the cause.
//
// Envoy rejects the whole route table with such a rule, and with it some or all of its
// other tables. A proxy that receives the rule then keeps its old routes until the rule
// is gone. A proxy without an earlier table answers 404 (NR). The list also has rules
// that only some proxies receive, or none.
func (m *Mesh) Refused() []error {
	var all []error
	m.look(func() { all = m.net.Views.Refused() })
	for i, err := range all {
		all[i] = fmt.Errorf("fake: %w", err)
	}
	return all
}

// look brings the mesh up to this moment, and then does something with it.
func (m *Mesh) look(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(time.Now())
	do()
}

// now brings the mesh up to this moment, streams included, and then changes it.
func (m *Mesh) now(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.advance(now)
	m.flowUntil(now)
	change()
}

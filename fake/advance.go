package fake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-go/serin/fake/apiserver"
	"github.com/serin-go/serin/fake/internal/endpoint"
	"github.com/serin-go/serin/fake/internal/proxies"
)

// inbox keeps changes until the mesh looks. It has a lock of its own, because
// changes come in while the mesh itself writes to the server.
type inbox struct {
	sync.Mutex
	mail []letter
}

type letter struct {
	at     time.Time
	change apiserver.Change
}

// notice takes note of a change.
func (m *Mesh) notice(at time.Time, c apiserver.Change) {
	m.inbox.Lock()
	m.inbox.mail = append(m.inbox.mail, letter{at, c})
	m.inbox.Unlock()
	if r := c.Resource.Resource; r == "deployments" || r == "horizontalpodautoscalers" || r == "resourcequotas" {
		go m.wake()
	}
}

// wake brings the mesh up to now. It is called by timers.
func (m *Mesh) wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(time.Now())
}

// begin reads everything that is there, and listens to what comes. Timers wait
// until it is done.
func (m *Mesh) begin(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.server.OnChange(func(change apiserver.Change) { m.notice(time.Now(), change) })
	var w proxies.World
	for _, resource := range proxies.Resources() {
		for _, raw := range m.server.List(resource, "") {
			w = m.learnOf(w, changeOf(resource, raw))
		}
	}
	m.net.Views = proxies.NewViews(m.config.Delay, m.config.Spread, w, now)
	m.beginDeployments(now)
	m.beginAutoscalers(now)
	m.arm(now)
	w = m.net.Views.World() // all proxies know how it begins
	m.net.Views = proxies.NewViews(m.config.Delay, m.config.Spread, w, now)
}

// changeOf makes the change that brought an object of a resource, with its group,
// into being.
func changeOf(resource string, raw json.RawMessage) apiserver.Change {
	var o struct{ Metadata meta.ObjectMeta }
	if err := json.Unmarshal(raw, &o); err != nil {
		o.Metadata.Name = endpoint.Unknown // what follows says why
	}
	c := apiserver.Change{Type: watch.Added, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name, Object: raw}
	c.Resource.Resource, c.Resource.Group, _ = strings.Cut(resource, ".")
	return c
}

// advance lets everything happen that is due up to now, in the order of time:
// changes come in, proxies learn of them, Deployments move on, counters are
// read. Requests flow in between. What it does depends on those moments only,
// never on how often it is called.
func (m *Mesh) advance(now time.Time) {
	for {
		at := m.due()
		if at.After(now) {
			m.arm(now)
			return
		}
		if at.Before(m.clock) {
			at = m.clock
		}
		m.flowUntil(at)
		m.open(at)
		m.apply(m.controller.Move(at), at)
		m.scale(at)
		m.reportQuotas()
		m.net.Views.Learn(at)
		m.net.Recorder.Scrape(at)
		m.weigh(at)
	}
}

// weigh compares each second what pods receive with what they can answer.
func (m *Mesh) weigh(at time.Time) {
	if !m.weighing.IsZero() && !m.weighing.After(at) {
		m.net.Weigh(time.Second)
		m.weighing = m.weighing.Add(time.Second)
	}
}

// due returns when something happens next.
func (m *Mesh) due() time.Time {
	at := m.net.Recorder.Due()
	m.inbox.Lock()
	if len(m.inbox.mail) > 0 {
		at = earlier(at, m.inbox.mail[0].at)
	}
	m.inbox.Unlock()
	if next, ok := m.net.Views.Next(); ok {
		at = earlier(at, next)
	}
	if !m.weighing.IsZero() {
		at = earlier(at, m.weighing)
	}
	if next := m.controllersDue(); !next.IsZero() {
		at = earlier(at, next)
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// open takes in the changes up to a moment.
func (m *Mesh) open(at time.Time) {
	m.inbox.Lock()
	n := slices.IndexFunc(m.inbox.mail, func(l letter) bool { return l.at.After(at) })
	if n < 0 {
		n = len(m.inbox.mail)
	}
	mail := m.inbox.mail[:n]
	m.inbox.mail = m.inbox.mail[n:]
	m.inbox.Unlock()
	for _, l := range mail {
		switch l.change.Resource.Resource {
		case "deployments":
			m.seeDeployment(l.change, at)
		case "horizontalpodautoscalers":
			m.seeAutoscaler(l.change, at)
		case "resourcequotas":
			m.seeQuota(l.change, at)
		default:
			m.net.Views.Push(m.learnOf(m.net.Views.World(), l.change), at)
		}
	}
}

// learnOf returns the world after a change, and keeps what is wrong with it.
func (m *Mesh) learnOf(w proxies.World, c apiserver.Change) proxies.World {
	next, err := w.With(c)
	if err != nil {
		m.problems = append(m.problems, fmt.Errorf("fake: %w", err))
	}
	return next
}

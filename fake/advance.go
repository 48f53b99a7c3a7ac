package fake

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/serin-go/serin/fake/apiserver"
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
	if c.Resource.Resource == deploymentsResource {
		time.AfterFunc(0, m.wake)
	}
}

// wake brings the mesh up to now. It is called by timers.
func (m *Mesh) wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(time.Now())
}

// begin reads everything that is there.
func (m *Mesh) begin(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var w world
	for _, resource := range slices.Sorted(maps.Keys(kinds)) {
		for _, raw := range m.server.List(resources[resource], "") {
			w = m.learnOf(w, changeOf(resource, raw))
		}
	}
	m.views = newViews(m.config, &view{world: w, at: now})
	m.beginDeployments(now)
	m.views = newViews(m.config, m.views.latest()) // all proxies know how it begins
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
		m.views.learn(at)
		m.recorder.Scrape(at)
	}
}

// due returns when something happens next.
func (m *Mesh) due() time.Time {
	at := m.recorder.Due()
	m.inbox.Lock()
	if len(m.inbox.mail) > 0 {
		at = earlier(at, m.inbox.mail[0].at)
	}
	m.inbox.Unlock()
	if next, ok := m.views.next(); ok {
		at = earlier(at, next)
	}
	if next := m.controller.Due(); !next.IsZero() {
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
		if l.change.Resource.Resource == deploymentsResource {
			m.seeDeployment(l.change, at)
			continue
		}
		before := m.views.latest().world
		m.views.push(m.learnOf(before, l.change), at)
	}
}

// learnOf returns the world after a change, and keeps what is wrong with it.
func (m *Mesh) learnOf(w world, c apiserver.Change) world {
	next, err := w.with(c)
	if err != nil {
		m.problems = append(m.problems, err)
	}
	return next
}

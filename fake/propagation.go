package fake

import (
	"time"
)

// view is a world from the moment on in which it was true.
type view struct {
	world world
	at    time.Time
	// compiled is the table of the world, once somebody needed it.
	compiled *table
	holds    []*held
}

// views is what the proxies know. The proxies are few, stand for many, and learn
// of a change one after the other, spread evenly over Config.Spread.
type views struct {
	delay, spread time.Duration
	proxies       int
	all           []*view // oldest first
	seen          []*held // what each proxy knows
	inForce       []served
	stalled       bool
}

// served is a view and the number of proxies that serve it.
type served struct {
	*held
	proxies uint64
}

func (v *view) table() *table {
	if v.compiled == nil {
		v.compiled = compile(v.world)
	}
	return v.compiled
}

const manyProxies = 8

func newViews(c Config, first *view) views {
	v := views{delay: c.Delay, spread: c.Spread, proxies: 1, all: []*view{first}}
	if c.Spread > 0 {
		v.proxies = manyProxies
	}
	for range v.proxies {
		v.seen = append(v.seen, first.hold(nil))
	}
	v.gather()
	return v
}

// lag returns how late a proxy learns of changes.
func (v *views) lag(proxy int) time.Duration {
	if v.proxies == 1 {
		return v.delay
	}
	return v.delay + v.spread*time.Duration(proxy)/time.Duration(v.proxies-1)
}

func (v *views) latest() *view { return v.all[len(v.all)-1] }

func (v *views) push(w world, at time.Time) { v.all = append(v.all, &view{world: w, at: at}) }

// next returns when the next proxy learns of something, and false if none will.
func (v *views) next() (time.Time, bool) {
	var first time.Time
	found := false
	if v.stalled {
		return first, found
	}
	for proxy, seen := range v.seen {
		after := v.after(seen.view)
		if after == nil {
			continue
		}
		if at := after.at.Add(v.lag(proxy)); !found || at.Before(first) {
			first, found = at, true
		}
	}
	return first, found
}

// after returns the view that follows, or nil.
func (v *views) after(seen *view) *view {
	for i := len(v.all) - 2; i >= 0; i-- {
		if v.all[i] == seen {
			return v.all[i+1]
		}
	}
	return nil
}

// learn tells every proxy what it knows at the time now, and forgets what all
// have left behind. While propagation is stalled, it tells nothing.
func (v *views) learn(now time.Time) {
	if v.stalled {
		return
	}
	for proxy, seen := range v.seen {
		if last := v.due(proxy, now); last != seen.view {
			v.seen[proxy] = last.after(seen) // what lies between it was never told
		}
	}
	for v.all[0] != v.seen[v.proxies-1].view { // the last one is the slowest
		v.all = v.all[1:]
	}
	v.gather()
}

// due returns the last view that a proxy has been told by the time now.
func (v *views) due(proxy int, now time.Time) *view {
	last := v.seen[proxy].view
	for {
		after := v.after(last)
		if after == nil || after.at.Add(v.lag(proxy)).After(now) {
			return last
		}
		last = after
	}
}

func (v *views) gather() {
	v.inForce = v.inForce[:0]
	for _, seen := range v.seen {
		if last := len(v.inForce) - 1; last >= 0 && v.inForce[last].held == seen {
			v.inForce[last].proxies++
		} else {
			v.inForce = append(v.inForce, served{seen, 1})
		}
	}
}

// stall begins or ends a stall. All that was due up to now has been told.
func (v *views) stall(stalled bool, now time.Time) {
	v.stalled = stalled
	v.learn(now)
}

package proxies

import (
	"time"
)

// view is a world from the moment on in which it was true.
type view struct {
	world World
	at    time.Time
	// compiled is the table of the world, once somebody needed it.
	compiled *Table
	holds    []*Held
}

// Views are what the proxies know. The proxies are few, stand for many, and learn
// of a change one after the other, spread evenly over a time. NewViews makes
// them. They are not safe for concurrent use.
type Views struct {
	delay, spread time.Duration
	proxies       int
	all           []*view // oldest first
	seen          []*Held // what each proxy knows
	inForce       []Served
	stalled       bool
}

// Served is what some proxies hold.
type Served struct {
	*Held
	// Proxies is how many hold it.
	Proxies uint64
}

// Table returns the table of the world.
func (v *view) Table() *Table {
	if v.compiled == nil {
		v.compiled = compile(v.world)
	}
	return v.compiled
}

const manyProxies = 8

// NewViews returns what the proxies know that have known a world since a moment. The
// first proxy learns of changes after a delay, and the last one later by spread.
func NewViews(delay, spread time.Duration, w World, at time.Time) *Views {
	first := &view{world: w, at: at}
	v := &Views{delay: delay, spread: spread, proxies: 1, all: []*view{first}}
	if spread > 0 {
		v.proxies = manyProxies
	}
	for range v.proxies {
		v.seen = append(v.seen, first.hold(nil))
	}
	v.gather()
	return v
}

// lag returns how late a proxy learns of changes.
func (v *Views) lag(proxy int) time.Duration {
	if v.proxies == 1 {
		return v.delay
	}
	return v.delay + v.spread*time.Duration(proxy)/time.Duration(v.proxies-1)
}

// World returns the world as it is, whoever knows of it.
func (v *Views) World() World { return v.all[len(v.all)-1].world }

// Len returns the number of proxies.
func (v *Views) Len() int { return v.proxies }

// Proxy returns what one of the proxies holds, counted from 0.
func (v *Views) Proxy(i int) *Held { return v.seen[i] }

// Served returns what is held by how many proxies. The result is valid until the
// next change.
func (v *Views) Served() []Served { return v.inForce }

// Kept returns how many views the proxies hold on to.
func (v *Views) Kept() int {
	kept := map[*view]bool{}
	for _, h := range v.seen {
		for ; h != nil; h = h.before {
			kept[h.view] = true
		}
	}
	return len(kept)
}

// Push tells of a new world.
func (v *Views) Push(w World, at time.Time) { v.all = append(v.all, &view{world: w, at: at}) }

// Next returns when the next proxy learns of something, and false if none will.
func (v *Views) Next() (time.Time, bool) {
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
func (v *Views) after(seen *view) *view {
	for i := len(v.all) - 2; i >= 0; i-- {
		if v.all[i] == seen {
			return v.all[i+1]
		}
	}
	return nil
}

// Learn tells every proxy what it knows at the time now, and forgets what all
// have left behind. While propagation is stalled, it tells nothing.
func (v *Views) Learn(now time.Time) {
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
func (v *Views) due(proxy int, now time.Time) *view {
	last := v.seen[proxy].view
	for {
		after := v.after(last)
		if after == nil || after.at.Add(v.lag(proxy)).After(now) {
			return last
		}
		last = after
	}
}

func (v *Views) gather() {
	v.inForce = v.inForce[:0]
	for _, seen := range v.seen {
		if last := len(v.inForce) - 1; last >= 0 && v.inForce[last].Held == seen {
			v.inForce[last].Proxies++
		} else {
			v.inForce = append(v.inForce, Served{seen, 1})
		}
	}
}

// Stall begins or ends a stall. All that was due up to now has been told.
func (v *Views) Stall(stalled bool, now time.Time) {
	v.stalled = stalled
	v.Learn(now)
}

package fake_test

import (
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/fake"
)

const (
	oldImage = "reviews:1"
	newImage = "reviews:2"
	// editedImage is what somebody makes of the old one.
	editedImage = "reviews:1-fixed"
)

// badLedger counts the harm of a rollout: requests that were lost, that the new version
// answered worse than the old one would, and that the wrong version answered after the end.
// What stable does by itself is not counted.
type badLedger struct {
	mu    sync.Mutex
	loads []*fake.Load
	seen  []fake.Result // as of the last change of what counts

	failing, slow bool    // the new version is, and the old one is not
	both          bool    // the old one fails as well, because of the new one
	common        float64 // share of the requests that both versions fail
	edited        bool    // somebody has edited stable when everything was decided
	end           phase.Phase
	supply        badSupply

	short float64 // requests that failed for want of pods since the last change
	harm  float64
	wrong uint64
}

func newBadLedger() *badLedger { return &badLedger{} }

func (l *badLedger) add(load *fake.Load) {
	l.loads, l.seen = append(l.loads, load), append(l.seen, nil)
}

// change counts what was answered so far, and then changes what counts.
func (l *badLedger) change(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, load := range l.loads {
		now := load.Result()
		for _, c := range now {
			before := slices.IndexFunc(l.seen[i], func(b fake.Count) bool { return b.Outcome == c.Outcome })
			if before >= 0 {
				c.N -= l.seen[i][before].N
			}
			l.count(c)
		}
		l.seen[i] = now
	}
	lost := l.supply.take()
	l.harm += max(0, l.short-lost-3*math.Sqrt(lost)) * (1 - l.common) // which of them fail is drawn
	l.short = 0
	do()
}

// useless says which share of the canary's pods is of no use, because it fails.
func (l *badLedger) useless(share float64) {
	l.change(func() { l.supply.change(func() { l.supply.bad = share }) })
}

func (l *badLedger) count(c fake.Count) {
	switch {
	case c.Mirrored || c.N == 0 || c.Flags == "NR": // without a rule nobody sent it to the canary
	case c.Flags == "UH":
		l.short += float64(c.N)
	case c.Broken():
		l.harm += float64(c.N) * (1 - l.common)
	case (c.Image == newImage || l.both) && l.failing && c.Code >= 400,
		c.Image == newImage && l.slow && c.Code < 400:
		l.harm += float64(c.N)
	case c.Code == http.StatusServiceUnavailable:
		l.short += float64(c.N)
	case l.end == phase.RolledBack && c.Image == newImage,
		l.end == phase.Promoted && c.Image != newImage && !(l.edited && c.Image == editedImage):
		l.wrong += c.N
	}
}

func (l *badLedger) over(p phase.Phase) { l.change(func() { l.end = p }) }

// badExposure is what an allowance depends on.
type badExposure struct {
	plan     canary.Plan
	lasts    time.Duration // of the trouble, or until nobody looks any more
	pods     string        // what only Deployments are: "unread" or "unwritten"
	last     bool          // stable may have to become whole first
	share    float64       // of the requests, that the trouble may harm
	promoted bool          // stable has the new version, and nobody else has the old one
	mixed    bool          // stable is between two versions
	// stateless: no State tells Sweep whose traffic it is.
	stateless bool
	again     bool // the step is entered once more, after a Retreat
	judged    bool // by the library's judge
	refuses   bool // the canary has client errors
	badPodsOf
}

// badPodsOf is what an allowance depends on where pods are scarce.
type badPodsOf struct {
	scaling  bool          // the rollout scales
	undriven bool          // and nobody drives it for a while
	follows  bool          // and knows the load
	grows    float64       // by that part the load does
	left     int           // so many shares may follow
	few      bool          // the canary keeps some pods
	abrupt   bool          // somebody gives stable everything at once
	thin     bool          // stable may lack pods that it had when the rollout began
	unread   bool          // nobody knows
	start    time.Duration // of a pod
	lacks    time.Duration // for so long no new pods come
	ways     int           // how often traffic may go to stable
}

// The parts of allowances. All are settings or documented limits.

// turn is how long it takes until a driver looks, and until all proxies know what it wrote.
func (x badExposure) turn() time.Duration { return x.plan.Interval() + badDelay + badSpread }

// limit is that of one call: the interval within 10 s and 1 min.
func (x badExposure) limit() time.Duration {
	return min(max(x.plan.Interval(), 10*time.Second), time.Minute)
}

// first is how long after a change of traffic the first look is there.
func (x badExposure) first() time.Duration { return x.plan.Settle() + x.plan.ScrapeLag() + x.sees() }

// sees is how long the judge needs, and look is one of its looks. The library's judge decides
// by four, or by seven where only client errors are bad, of which it bears more. The first one may
// be bad in a small part.
func (x badExposure) sees() time.Duration {
	switch {
	case !x.judged:
		return badLook
	case x.refuses:
		return 8*wholeLook + wholeLag
	}
	return 5*wholeLook + wholeLag
}

func (x badExposure) look() time.Duration {
	if x.judged {
		return wholeLook
	}
	return badLook
}

// whole is how long the canary may keep its traffic although everything is to go back. Stable
// becomes whole first, if it may be between two versions: the canary has all traffic meanwhile.
// If no pods come, that is tried for the error limit, and the canary is waited for as long before.
// If stable has the new version and no pod of the old one can start, nobody has that any more.
func (x badExposure) whole() time.Duration {
	all := x.parts()
	switch {
	case x.last && x.promoted:
		all += badWhole(x.plan) + badPods*(x.start-badStart) + x.lacks
	case x.last:
		all += badWhole(x.plan) + badPods*(x.start-badStart) + 2*min(x.lacks, badErrorLimit)
	}
	return all
}

// parts is how long the way back takes that a stable without its pods gets in parts, until
// everything after five minutes, as does one whose pods nobody can read. A rollout that scales
// has its pods started in its next turn.
func (x badExposure) parts() time.Duration {
	switch {
	case !x.thin && !x.unread && x.lacks == 0:
		return 0
	case x.scaling && !x.unread && x.lacks == 0:
		return min(badGiving, x.turn()+x.start)
	}
	return badGiving
}

// badGiving is by when stable has everything on a way back in parts.
const badGiving = 5 * time.Minute

// badWhole is an update of stable, pod by pod, which a driver sees one interval later, and
// the return of the traffic.
func badWhole(p canary.Plan) time.Duration {
	return badPods*(badStart+time.Second) + p.Interval() + p.Settle()
}

// allowJudged: a fault that a step has just not shown is seen in the first look of the next, which
// a Retreat may cut short.
func allowJudged(x badExposure) time.Duration {
	all := badScrape + x.plan.Interval() + x.first() + x.turn() + x.whole()
	if x.again {
		all += x.first() + x.turn()
	}
	return all
}

// allowWatched: a driver asks in every turn whether the canary has a pod.
func allowWatched(x badExposure) time.Duration { return x.turn() + x.whole() }

// allowBlind: the first look is missing, and then all for the blind limit, with a call that hangs.
func allowBlind(x badExposure) time.Duration {
	limit := max(4*x.look(), 30*time.Second)
	if x.last {
		limit = badErrorLimit // while stable may be between two versions
	}
	return x.first() + limit + x.limit() + x.turn() + x.whole()
}

// allowUnwritable: nobody can move traffic while it lasts. Run pauses up to 30 s after an error.
//
// If it is Deployments alone that cannot be read, nobody knows of pods, and the judge's readings
// are what is left. If they cannot be written, a promotion is given up after the error limit,
// and after another one stable is not waited for any more, if the canary fails. Pods of stable that
// have the new version already keep it.
func allowUnwritable(x badExposure) time.Duration {
	pause := 30*time.Second + x.limit() + x.turn()
	switch {
	case x.pods == "unread" && !x.last && x.share < 1:
		return allowBlind(x)
	case x.pods != "" && !x.promoted && !x.mixed: // or there is no way back without it
		return min(x.lasts, 2*badErrorLimit) + pause + badWhole(x.plan)
	}
	return x.lasts + pause + x.whole()
}

// badErrorLimit is the default of Builder.ErrorLimit.
const badErrorLimit = 15 * time.Minute

// allowAbandoned: LookBy is 10 minutes ahead, clocks differ by a minute, and Sweep comes each
// minute. A rollout in the midst of a promotion needs a driver, whom Sweep calls. Where somebody
// has removed the State, Sweep tells of canary traffic that nobody explains, and calls one who
// sends it to stable.
func allowAbandoned(x badExposure) time.Duration {
	all := 10*time.Minute + time.Minute + badSweep + x.turn()
	if x.last {
		all += badHelp + x.whole()
	}
	if x.stateless {
		return all + badHelp
	}
	return min(all, x.lasts+x.turn()+x.whole())
}

// allowOlder: a reading may be behind for a minute before a Runner puts its own State back.
func allowOlder(x badExposure) time.Duration { return time.Minute + 2*x.turn() + x.whole() }

// allowDrifted: a driver puts other traffic back in its next turn.
func allowDrifted(x badExposure) time.Duration { return x.turn() }

// allowSkew: the times of a State may be a minute ahead of a clock before a driver counts them
// as wrong, and so much later it sees what happens.
func allowSkew(badExposure) time.Duration { return time.Minute }

// allowNothing: no user is hurt.
func allowNothing(badExposure) time.Duration { return 0 }

// Package verify has a canary.Verifier that sees in the mesh's metrics whether the proxies
// route as written.
//
// An API server accepts a change long before the proxies apply it, and a proxy may refuse
// it or never receive it. So a rollout that only writes may end as "rolled back" while
// users are still on the canary. Each proxy reports the requests that it sends, and these
// reports show what it does.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/metrics"
)

// DefaultLag suits a scrape interval of up to 30 seconds.
const DefaultLag = 30 * time.Second

// Metrics is a canary.Verifier. It counts the last requests of each proxy to the canary and
// to stable. Copies are not counted, as the proxy that sends them does not report them.
//
// If the canary is to have no live requests, Verify says Yes when no proxy has sent it any
// for a time of Lag. If it is to have a share, each proxy must divide its requests as
// written, within chance and one per cent. With cohorts or header routes the requests
// choose their version, so any division of these requests is right, and a canary without a
// share is not waited for.
//
// Requests that another rule always sends to the canary, such as those of testers, count
// like all others: such a service needs a Verifier of its own. A proxy that sends nothing
// shows nothing.
//
// If proxies do not divide their requests as written and the Provider is a
// metrics.RefusalReader, the reason also names those among them that refused configuration
// since a Lag before the change. Nothing else depends on the control plane's metrics: if they
// are not there or cannot be read, the reply is the same.
//
// An error means that the metrics do not tell: the store failed, has no readings of either
// version, or, if the canary is to have nothing, shows no request at all. Metrics is safe
// for concurrent use if its Provider is.
type Metrics struct {
	Provider metrics.ProxyCounter
	// Stable and Canary are the two versions, by workload.
	Stable, Canary metrics.Arm
	// Lag is how far the metrics may lag behind the requests, at least one scrape
	// interval. The zero value means DefaultLag.
	Lag time.Duration
}

// Validate reports every missing field. canary.NewRunner calls it.
func (m Metrics) Validate() error {
	var errs []error
	if m.Provider == nil {
		errs = append(errs, errors.New("the Provider is missing"))
	}
	if m.Lag < 0 {
		errs = append(errs, fmt.Errorf("a Lag of %v is negative", m.Lag))
	}
	if m.Stable == m.Canary {
		errs = append(errs, fmt.Errorf("stable and canary are the same: %v", m.Canary))
	}
	for _, arm := range []metrics.Arm{m.Stable, m.Canary} {
		errs = append(errs, metrics.Query{Arm: arm}.Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

// Verify implements canary.Verifier.
func (m Metrics) Verify(ctx context.Context, t canary.Traffic, since time.Time) (canary.Answer, error) {
	choosing := t.Cohorts != "" || t.HeaderRoutes
	if choosing && t.Canary == 0 {
		return canary.Yes.Because("requests may choose the canary"), nil
	}
	lag := cmp.Or(m.Lag, DefaultLag)
	now := time.Now()
	w := metrics.Window{From: now.Add(-lag), To: now}
	if due := since.Add(2 * lag); now.Before(due) { // a reading may count requests from up to lag before
		return canary.Wait.Because("the first readings after the change are due at %s", due.UTC().Format(time.TimeOnly)), nil
	}
	sent, err := m.sent(ctx, w)
	if err != nil {
		return canary.Answer{}, fmt.Errorf("verify: %w", err)
	}
	switch wrong := sent.unlike(t, choosing); {
	case len(wrong) > 0:
		cause := m.refused(ctx, wrong, metrics.Window{From: changed(since, now).Add(-lag), To: now})
		return canary.Wait.Because("not as written in the last %v: %s%s", lag, sent.listed(wrong), cause), nil
	case len(sent) == 0 && t.Canary == 0:
		return canary.Answer{}, fmt.Errorf("verify: no proxy has sent a request in the last %v", lag)
	case len(sent) == 0:
		return canary.Answer{Reply: canary.Yes, Reason: fmt.Sprintf("nobody has sent a request in the last %v", lag), Since: w.From}, nil
	}
	return canary.Answer{Reply: canary.Yes, Reason: fmt.Sprintf("%d proxies route as written", len(sent)), Since: w.From}, nil
}

// division is how many requests a proxy sent to whom.
type division struct{ stable, canary float64 }

func (d division) String() string {
	return fmt.Sprintf("%.0f of %.0f requests to the canary", d.canary, d.canary+d.stable)
}

type divisions map[metrics.Proxy]division

// sent asks what each proxy sent in the window.
func (m Metrics) sent(ctx context.Context, w metrics.Window) (divisions, error) {
	stable, stableErr := m.Provider.Proxies(ctx, metrics.Query{Arm: m.Stable}, w)
	toCanary, err := m.Provider.Proxies(ctx, metrics.Query{Arm: m.Canary}, w)
	for _, err := range []error{stableErr, err} {
		if err != nil && !metrics.NoData(err) {
			return nil, err
		}
	}
	if stableErr != nil && err != nil {
		return nil, errors.Join(stableErr, err)
	}
	all := divisions{}
	for proxy, c := range stable {
		all[proxy] = division{stable: c.Total}
	}
	for proxy, c := range toCanary {
		all[proxy] = division{all[proxy].stable, c.Total}
	}
	return all, nil
}

// unlike returns the proxies that do not divide their requests as t says, in the order of
// their names.
func (all divisions) unlike(t canary.Traffic, choosing bool) []metrics.Proxy {
	share := 0.0
	if t.Canary > 0 {
		share = float64(t.Canary) / float64(t.Canary+t.Stable())
	}
	var wrong []metrics.Proxy
	for _, proxy := range slices.SortedFunc(maps.Keys(all), func(a, b metrics.Proxy) int { return strings.Compare(a.String(), b.String()) }) {
		if all[proxy].differs(share, choosing) {
			wrong = append(wrong, proxy)
		}
	}
	return wrong
}

// enough is how many requests are expected where having none is no chance.
const enough = 20

// differs reports whether the division is not that of the canary's share, beyond chance.
func (d division) differs(share float64, choosing bool) bool {
	n := d.stable + d.canary
	expected := n * share
	switch {
	case share == 0:
		return d.canary > 0
	case choosing:
		return d.canary == 0 && expected >= enough
	case d.canary == 0 && expected >= enough, d.stable == 0 && n-expected >= enough:
		return true
	}
	const deviations, slack = 6, 0.01
	return math.Abs(d.canary-expected) > deviations*math.Sqrt(expected*(1-share))+slack*n
}

// listed says what the first few of the proxies sent.
func (all divisions) listed(proxies []metrics.Proxy) string {
	var texts []string
	for _, proxy := range proxies {
		texts = append(texts, fmt.Sprintf("%v sent %v", proxy, all[proxy]))
	}
	return listed(texts)
}

// listed names the first few of them.
func listed(all []string) string {
	const few = 3
	if more := len(all) - few; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(all[:few], "; "), more)
	}
	return strings.Join(all, "; ")
}

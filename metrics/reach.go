package metrics

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// ReachReader counts requests that failed before a pod was chosen, so that they belong to no
// version: what a canary that users cannot reach looks like. It is optional for a Sequencer.
// Implementations must be safe for concurrent use, and return when ctx ends.
type ReachReader interface {
	// Reach counts the requests to the hosts in each window, as the proxies of their clients report
	// them; [ReachOf] does so from counters. The errors are as in Sequencer.Sequence: ErrNoSeries means
	// that no client's proxy has reported.
	Reach(ctx context.Context, hosts Hosts, arms []Arm, windows []Window) ([]Reached, error)
}

// Reached is what became of the requests to a service.
type Reached struct {
	Requests, Unreached float64
	// Answered are those that got to a pod of each arm, whatever it answered.
	Answered []float64
}

// RequestCounter is a counter of requests, as the proxy of a client reports them.
type RequestCounter struct {
	// Service is destination_service, Workload is destination_workload, Namespace that of the
	// workload, Revision destination_canonical_revision, and Flags response_flags.
	Service, Workload, Namespace, Revision, Flags string
	// SourceNamespace is that of the client, Instance its proxy.
	SourceNamespace, Instance string
	// Samples are the readings, in order of time. Only Total counts.
	Samples []Sample
}

// ReachOf counts the requests to the hosts from all counters that a store has: a proxy that was read
// before is known for all of them, so that the first requests of a client to an arm count.
//
// A gateway that knows no cluster for a request says nothing of the service. Such requests are taken as
// well, if they are Unreached and the same gateway has requests to the hosts; they may be meant for
// another service.
func ReachOf(hosts Hosts, arms []Arm, all []RequestCounter, windows []Window) ([]Reached, error) {
	all = hosts.of(all)
	reached := make([]Reached, len(windows))
	unreached, err := part(all, RequestCounter.Unreached, windows)
	if err != nil {
		return nil, err
	}
	for k, c := range unreached {
		reached[k] = Reached{c.Total, c.Bad, make([]float64, len(arms))}
	}
	for i, arm := range arms {
		counts, err := part(all, arm.has, windows)
		if err != nil {
			return nil, err
		}
		for k, c := range counts {
			reached[k].Answered[i] = c.Bad
		}
	}
	return reached, nil
}

// part counts all requests, and as bad ones those of which something holds.
func part(all []RequestCounter, holds func(RequestCounter) bool, windows []Window) ([]Counts, error) {
	series := make([]Series, len(all))
	for i, c := range all {
		series[i] = Series{Target: c.Instance, Samples: slices.Clone(c.Samples)}
		for k := range series[i].Samples {
			s := &series[i].Samples[k]
			if s.Good = s.Total; holds(c) {
				s.Good = 0
			}
		}
	}
	return Increases(series, windows)
}

// has reports whether the requests got to the arm.
func (a Arm) has(c RequestCounter) bool {
	same := func(want, is string) bool { return want == "" || want == is }
	return !c.Unreached() && same(a.Workload, c.Workload) && same(a.Namespace, c.Namespace) && same(a.Revision, c.Revision) && same(a.Service, c.Service)
}

// Unreached reports whether the requests failed before a pod was chosen: there was no route (NR), no
// such subset or host (NC), no healthy endpoint (UH), or too many requests to it (UO).
func (c RequestCounter) Unreached() bool {
	if c.Workload != "" && c.Workload != unknown {
		return false
	}
	return slices.ContainsFunc(strings.Split(c.Flags, ","), func(flag string) bool {
		return slices.Contains([]string{"NC", "NR", "UH", "UO"}, flag)
	})
}

// unknown is the value of a label that a proxy could not tell.
const unknown = "unknown"

// Hosts are the names by which clients ask for a service. Where a sidecar knows no cluster for a
// request, destination_service is the host as the client wrote it. So a fully qualified host of a
// cluster, "reviews.bookinfo.svc.cluster.local", stands for its shorter forms too; the shortest,
// "reviews", only for clients in the same namespace. "*.example.com" stands for all hosts below
// example.com, and "*" for none. Each may have a port. The zero value is no host.
type Hosts []string

// of returns those counters that are of requests to the hosts.
func (h Hosts) of(all []RequestCounter) (some []RequestCounter) {
	forms, named, proxies := h.forms(), make([]bool, len(all)), map[string]bool{}
	for i, c := range all {
		if named[i] = contain(forms, c.Service, c.SourceNamespace); named[i] {
			proxies[c.Instance] = true
		}
	}
	for i, c := range all {
		if named[i] || (c.Service == unknown || c.Service == "") && c.Unreached() && proxies[c.Instance] {
			some = append(some, c)
		}
	}
	return some
}

// form is one way to write a host.
type form struct{ text, namespace string }

func (h Hosts) forms() (all []form) {
	for _, host := range h {
		host = strings.ToLower(port.ReplaceAllString(host, ""))
		if host == "" || host == "*" {
			continue
		}
		all = append(all, form{text: host})
		if parts := strings.SplitN(host, ".", 4); len(parts) == 4 && parts[2] == "svc" {
			all = append(all,
				form{parts[0], parts[1]}, form{text: strings.Join(parts[:2], ".")}, form{text: strings.Join(parts[:3], ".")})
		}
	}
	return all
}

// contain reports whether a service that a client in the namespace asked for has one of the forms.
func contain(forms []form, service, namespace string) bool {
	service = strings.ToLower(port.ReplaceAllString(service, ""))
	return slices.ContainsFunc(forms, func(f form) bool {
		if f.namespace != "" && f.namespace != namespace {
			return false
		}
		below, wild := strings.CutPrefix(f.text, "*")
		return service == f.text || wild && len(service) > len(below) && strings.HasSuffix(service, below)
	})
}

var port = regexp.MustCompile(`:[0-9]+$`)

// Pattern returns a regular expression (RE2, to be anchored) for the label destination_service. It
// matches at least what ReachOf takes. It is "" for no host.
func (h Hosts) Pattern() string {
	var all []string
	for _, f := range h.forms() {
		below, wild := strings.CutPrefix(f.text, "*")
		text := regexp.QuoteMeta(below)
		if wild {
			text = ".+" + text
		}
		all = append(all, text)
	}
	if all == nil {
		return ""
	}
	slices.Sort(all)
	return "(?i:" + strings.Join(slices.Compact(all), "|") + ")(:[0-9]+)?|" + unknown + "|"
}

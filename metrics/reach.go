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
	// Reach counts the requests to the hosts, of all versions together, as the proxies of their
	// clients report them ([Hosts.Select]). Bad are those that are Unreached. The windows, the counts
	// and the errors are as in Sequencer.Sequence: ErrNoSeries means that no client's proxy has
	// reported.
	Reach(ctx context.Context, hosts Hosts, windows []Window) ([]Counts, error)
}

// RequestLabels are labels of a counter of requests, as the proxy of a client reports them.
type RequestLabels struct {
	Service  string // destination_service
	Workload string // destination_workload
	Flags    string // response_flags
	// SourceNamespace is that of the client, Instance its proxy.
	SourceNamespace, Instance string
}

// Unreached reports whether the requests failed before a pod was chosen: there was no route (NR), no
// such subset or host (NC), no healthy endpoint (UH), or too many requests to it (UO).
func (l RequestLabels) Unreached() bool {
	if l.Workload != "" && l.Workload != unknown {
		return false
	}
	return slices.ContainsFunc(strings.Split(l.Flags, ","), func(flag string) bool {
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

// Select reports which counters, of all that a store has, are those of requests to the hosts. A gateway
// that knows no cluster for a request says nothing of the service. Such requests are taken as well,
// if they are Unreached and the same gateway has requests to the hosts; they may be meant for another
// service.
func (h Hosts) Select(all []RequestLabels) []bool {
	forms, named, proxies := h.forms(), make([]bool, len(all)), map[string]bool{}
	for i, l := range all {
		if named[i] = contain(forms, l.Service, l.SourceNamespace); named[i] {
			proxies[l.Instance] = true
		}
	}
	for i, l := range all {
		named[i] = named[i] || (l.Service == unknown || l.Service == "") && l.Unreached() && proxies[l.Instance]
	}
	return named
}

// form is one way to write a host.
type form struct{ text, namespace string }

func (h Hosts) forms() (all []form) {
	for _, host := range h {
		host = strings.ToLower(host)
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
// matches at least what Select takes. It is "" for no host.
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

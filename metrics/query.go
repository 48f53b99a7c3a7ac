package metrics

import (
	"errors"
	"fmt"
	"strings"
)

// Query says which requests to count, which proxy counts them, and which of them are bad.
// It is comparable. The zero value is invalid: Arm must be set.
type Query struct {
	Arm Arm
	// Reporter is the proxy that counts; the zero value is Source.
	Reporter Reporter
	// Signal says which requests are bad; the zero value means server errors.
	Signal Signal
}

// Arm is one version of a service, named by the labels of its requests. Each field that
// is set must match exactly.
//
// Either set Workload and Namespace, or set Service and Revision. Revision is the value
// of the pod label service.istio.io/canonical-revision or version. Service alone is
// enough if each version has a host of its own.
//
// A request that failed before a pod was chosen (no healthy endpoint, no such subset) has
// no workload and no revision. Only an Arm with Service alone counts such a request; see also
// [ReachReader].
type Arm struct {
	Workload  string // a Deployment, for example: "reviews-v2"
	Namespace string // of the workload: "bookinfo"
	Revision  string // canonical revision: "v2"
	Service   string // host, fully qualified: "reviews.bookinfo.svc.cluster.local"
}

// String names the arm by its parts: "reviews-v2.bookinfo".
func (a Arm) String() string {
	var parts []string
	add := func(format, s string) {
		if s != "" {
			parts = append(parts, fmt.Sprintf(format, s))
		}
	}
	if a.Workload != "" {
		add("%s", strings.TrimSuffix(a.Workload+"."+a.Namespace, "."))
	} else {
		add("namespace %s", a.Namespace)
	}
	add("revision %s", a.Revision)
	add("service %s", a.Service)
	if parts == nil {
		return "no arm"
	}
	return strings.Join(parts, ", ")
}

func (a Arm) validate() error {
	var errs []error
	if a.Workload == "" && a.Service == "" {
		errs = append(errs, errors.New("the arm needs a workload or a service"))
	}
	if a.Workload != "" && a.Namespace == "" {
		errs = append(errs, fmt.Errorf("the namespace of workload %q is missing", a.Workload))
	}
	return errors.Join(errs...)
}

// Reporter is the proxy that counts a request.
type Reporter uint8

// The values of Reporter.
const (
	// Source is the proxy of the client, or the gateway. It is the zero value, because no
	// other proxy counts requests that never reached a pod, and timeouts as the client
	// sees them. It does not count mirrored requests.
	Source Reporter = iota
	// Destination is the proxy of the pod that answers. It counts mirrored requests like
	// all others.
	Destination
	// Waypoint is the waypoint proxy of an ambient mesh.
	Waypoint
)

var reporters = [...]string{"source", "destination", "waypoint"}

// String returns the value of Istio's label reporter.
func (r Reporter) String() string {
	if int(r) < len(reporters) {
		return reporters[r]
	}
	return fmt.Sprintf("Reporter(%d)", uint8(r))
}

// Validate reports every mistake at once, in an error that wraps ErrBadQuery.
func (q Query) Validate() error {
	errs := []error{q.Arm.validate(), q.Signal.validate()}
	if int(q.Reporter) >= len(reporters) {
		errs = append(errs, fmt.Errorf("reporter %d: want source, destination or waypoint", uint8(q.Reporter)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("metrics: %w: %w", ErrBadQuery, err)
	}
	return nil
}

// String describes the query for errors and logs.
func (q Query) String() string {
	return fmt.Sprintf("%s to %s, reported by the %s", q.Signal, q.Arm, q.Reporter)
}

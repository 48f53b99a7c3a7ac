package metrics

import (
	"errors"
	"fmt"
	"strings"
)

// Query says whose requests to count, who counts them, and which of them are
// bad. It is comparable. The zero value asks nothing: an Arm is needed.
type Query struct {
	Arm Arm
	// Reporter is who counts; the zero value is the sending side.
	Reporter Reporter
	// Signal is what makes a request bad; the zero value is an answer of 5xx.
	Signal Signal
}

// Arm is one version of a service, as the labels of its requests name it. Every
// field that is set must match, letter by letter.
//
// Name a version by its workload: Workload and Namespace. Revision, the value of
// the pod label service.istio.io/canonical-revision or version, is the other
// way, together with Service. Service alone is enough where each version is a
// host of its own.
//
// A request that failed before a pod was chosen (no healthy endpoint, no such
// subset) has no workload and no revision, so only an Arm by Service alone
// counts it.
type Arm struct {
	Workload  string // a Deployment, for example: "reviews-v2"
	Namespace string // of the workload
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

// Reporter is which proxy counts a request.
type Reporter uint8

// The reporters.
const (
	// Source is the proxy of the client, or the gateway: the zero value, because
	// it alone counts what never reached a pod, and timeouts as the client saw
	// them. It does not count mirrored copies.
	Source Reporter = iota
	// Destination is the proxy of the pod that answers. It counts mirrored
	// copies like requests.
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
		errs = append(errs, fmt.Errorf("reporter %d is none of source, destination and waypoint", uint8(q.Reporter)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("metrics: %w: %w", ErrBadQuery, err)
	}
	return nil
}

// String says in words what is asked, for errors and logs.
func (q Query) String() string {
	return fmt.Sprintf("%s to %s, reported by the %s", q.Signal, q.Arm, q.Reporter)
}

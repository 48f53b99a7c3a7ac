package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
)

// Names holds the names of the metrics and labels. An empty field means Istio's standard
// name.
type Names struct {
	// Requests is the counter of requests; "" means istio_requests_total.
	Requests string
	// Duration is the histogram of request durations in milliseconds, without the suffix
	// of its series; "" means istio_request_duration_milliseconds.
	Duration string

	// The labels. The comment behind each field is its standard name.
	Reporter     string // reporter
	Workload     string // destination_workload
	Namespace    string // destination_workload_namespace
	Revision     string // destination_canonical_revision
	Service      string // destination_service
	Protocol     string // request_protocol
	ResponseCode string // response_code
	GRPCStatus   string // grpc_response_status
	Flags        string // response_flags

	// SourceWorkload and SourceNamespace are the labels of the client.
	SourceWorkload  string // source_workload
	SourceNamespace string // source_workload_namespace

	// Instance is the label for the scraped proxy; "" means instance.
	Instance string
}

// OrStandard returns n with each empty name replaced by the standard one.
func (n Names) OrStandard() Names {
	return Names{
		Requests:     cmp.Or(n.Requests, "istio_requests_total"),
		Duration:     cmp.Or(n.Duration, "istio_request_duration_milliseconds"),
		Reporter:     cmp.Or(n.Reporter, "reporter"),
		Workload:     cmp.Or(n.Workload, "destination_workload"),
		Namespace:    cmp.Or(n.Namespace, "destination_workload_namespace"),
		Revision:     cmp.Or(n.Revision, "destination_canonical_revision"),
		Service:      cmp.Or(n.Service, "destination_service"),
		Protocol:     cmp.Or(n.Protocol, "request_protocol"),
		ResponseCode: cmp.Or(n.ResponseCode, "response_code"),
		GRPCStatus:   cmp.Or(n.GRPCStatus, "grpc_response_status"),
		Flags:        cmp.Or(n.Flags, "response_flags"),
		Instance:     cmp.Or(n.Instance, "instance"),

		SourceWorkload:  cmp.Or(n.SourceWorkload, "source_workload"),
		SourceNamespace: cmp.Or(n.SourceNamespace, "source_workload_namespace"),
	}
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// Validate reports every name that is invalid in Prometheus, in one error that wraps
// ErrBadQuery.
func (n Names) Validate() error {
	var errs []error
	v := reflect.ValueOf(n.OrStandard())
	for i, f := range reflect.VisibleFields(v.Type()) {
		pattern := labelName
		if f.Name == "Requests" || f.Name == "Duration" {
			pattern = metricName
		}
		if name := v.Field(i).String(); !pattern.MatchString(name) {
			errs = append(errs, fmt.Errorf("%s: %q is not a valid Prometheus name", f.Name, name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("metrics: %w: %w", ErrBadQuery, err)
	}
	return nil
}

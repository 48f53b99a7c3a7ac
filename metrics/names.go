package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
)

// Names is what the metrics and labels are called. An empty field, and so the
// zero value, means Istio's standard name.
type Names struct {
	// Requests is the counter istio_requests_total.
	Requests string
	// Duration is the histogram istio_request_duration_milliseconds, without the
	// suffix of its series. It counts milliseconds.
	Duration string

	Reporter     string // reporter
	Workload     string // destination_workload
	Namespace    string // destination_workload_namespace
	Revision     string // destination_canonical_revision
	Service      string // destination_service
	Protocol     string // request_protocol
	ResponseCode string // response_code
	GRPCStatus   string // grpc_response_status

	// Instance is the label by which the store names the proxy that it scraped:
	// instance.
	Instance string
}

// OrStandard returns n with every empty name replaced by the standard one.
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
		Instance:     cmp.Or(n.Instance, "instance"),
	}
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// Validate reports every name that Prometheus would not take, at once.
func (n Names) Validate() error {
	var errs []error
	v := reflect.ValueOf(n.OrStandard())
	for i, f := range reflect.VisibleFields(v.Type()) {
		pattern := labelName
		if f.Name == "Requests" || f.Name == "Duration" {
			pattern = metricName
		}
		if name := v.Field(i).String(); !pattern.MatchString(name) {
			errs = append(errs, fmt.Errorf("%s: %q is not a name", f.Name, name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("metrics: %w: %w", ErrBadQuery, err)
	}
	return nil
}

package metrics

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Signal says which requests are bad. It is comparable. The zero value is ServerErrors().
//
// If the client disconnects before the answer (response code "0", flag DC), that is not
// an error of the version: the request counts as good, but for ClientErrors.
type Signal struct {
	kind kind
	// least and most are the first and the last bad status code of an httpStatus.
	least, most int
	bound       time.Duration
}

type kind uint8

const (
	serverErrors kind = iota
	clientErrors
	httpStatus
	grpcErrors
	latency
)

// ServerErrors returns a Signal for which a request is bad if the server could not answer it: its
// status is 500 to 599, or it is a gRPC call with status 2 (unknown), 4 (deadline exceeded), 12
// (unimplemented), 13 (internal), 14 (unavailable) or 15 (data loss), which are the errors of a
// server by OpenTelemetry's conventions. It is known from each request whether it is gRPC.
func ServerErrors() Signal { return Signal{} }

// ClientErrors returns a Signal for which a request is bad if its client went away without what it
// came for: the status is 400 to 499, the client left before the answer (response code "0"), or
// it is a gRPC call with another error than those of a server. Clients cause some of that in any
// version.
func ClientErrors() Signal { return Signal{kind: clientErrors} }

// HTTPStatus returns a Signal for which a request is bad if its status is least to most.
// HTTPStatus(400, 599) includes client errors.
func HTTPStatus(least, most int) Signal {
	return Signal{kind: httpStatus, least: least, most: most}
}

// GRPCErrors returns a Signal for gRPC calls only. A call is bad if its gRPC status is
// not 0. It is also bad if its HTTP status is not 200, because then it has no gRPC
// status.
func GRPCErrors() Signal { return Signal{kind: grpcErrors} }

// SlowerThan returns a Signal for which a request is bad if it took longer than bound.
// The mesh keeps a histogram, so bound must be the bound of a bucket. Istio's default
// bounds are 0.5, 1, 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10, 30 s, 1, 5, 10, 30
// min and 1 h. The annotation sidecar.istio.io/statsHistogramBuckets changes them.
func SlowerThan(bound time.Duration) Signal { return Signal{kind: latency, bound: bound} }

// Bound returns the bound of SlowerThan and true, or false for any other Signal.
func (s Signal) Bound() (time.Duration, bool) { return s.bound, s.kind == latency }

// GRPC reports whether the Signal counts gRPC calls only.
func (s Signal) GRPC() bool { return s.kind == grpcErrors }

// Failed reports whether a request with these values of the labels response_code and
// grpc_response_status is bad. It is always false for SlowerThan, which does not depend
// on these labels.
func (s Signal) Failed(responseCode, grpcStatus string) bool {
	const clientLeft = "0"
	least, most := 500, 599
	switch {
	case s.kind == clientErrors:
		if responseCode == clientLeft || isGRPCError(grpcStatus) && !slices.Contains(ofServers, grpcStatus) {
			return true
		}
		least, most = 400, 499
	case s.kind == latency || responseCode == clientLeft:
		return false
	case s.kind == grpcErrors:
		return responseCode != "200" || grpcStatus != "0"
	case s.kind == httpStatus:
		least, most = s.least, s.most
	case slices.Contains(ofServers, grpcStatus):
		return true
	}
	code, err := strconv.Atoi(responseCode)
	return err == nil && least <= code && code <= most
}

// ofServers are the statuses of gRPC that are errors of a server.
var ofServers = []string{"2", "4", "12", "13", "14", "15"}

// isGRPCError reports whether the label has a status of gRPC, which other requests have not, and
// that is not OK.
func isGRPCError(status string) bool {
	n, err := strconv.Atoi(status)
	return err == nil && n != 0
}

// String describes the bad requests: "server errors", "gRPC errors", "requests slower than
// 250ms".
func (s Signal) String() string {
	switch s.kind {
	case serverErrors:
		return "server errors"
	case clientErrors:
		return "client errors (4xx, or the client left)"
	case httpStatus:
		return fmt.Sprintf("answers %d to %d", s.least, s.most)
	case grpcErrors:
		return "gRPC errors"
	default:
		return fmt.Sprintf("requests slower than %v", s.bound)
	}
}

func (s Signal) validate() error {
	if s.kind == httpStatus && (s.least < 100 || s.most > 599 || s.least > s.most) {
		return fmt.Errorf("status %d to %d: want a range within 100 to 599", s.least, s.most)
	}
	if s.kind == latency && s.bound <= 0 {
		return fmt.Errorf("slower than %v: want a time above zero", s.bound)
	}
	return nil
}

// Bounds returns the default bounds of Istio's histogram of request durations, in
// increasing order.
func Bounds() []time.Duration {
	const ms, s, m = time.Millisecond, time.Second, time.Minute
	return []time.Duration{
		ms / 2, ms, 5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms,
		s, 2500 * ms, 5 * s, 10 * s, 30 * s, m, 5 * m, 10 * m, 30 * m, time.Hour,
	}
}

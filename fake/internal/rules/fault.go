package rules

import (
	"fmt"
	"net/http"
	"time"

	networking "istio.io/api/networking/v1alpha3"
)

// Fault is a share of requests, that get a status.
type Fault struct {
	// PPM is the share in parts per million.
	PPM uint64
	// Code is the status.
	Code int
}

// Pause is a share of requests, that are held back.
type Pause struct {
	// PPM is the share in parts per million.
	PPM uint64
	// By is for how long.
	By time.Duration
}

// compileAbort reads an abort. Without a percentage nothing is aborted. A status
// of gRPC is 200 in HTTP.
func compileAbort(a *networking.HTTPFaultInjection_Abort) (Fault, error) {
	switch kind := a.GetErrorType().(type) {
	case *networking.HTTPFaultInjection_Abort_HttpStatus:
		code := int(kind.HttpStatus)
		return Fault{partsPerMillion(a.Percentage), code}, place("fault.abort.httpStatus", badStatus(code))
	case *networking.HTTPFaultInjection_Abort_GrpcStatus:
		return Fault{partsPerMillion(a.Percentage), http.StatusOK}, nil
	}
	return Fault{}, nil
}

func compileDelay(d *networking.HTTPFaultInjection_Delay) Pause {
	if d.GetFixedDelay() == nil {
		return Pause{}
	}
	ppm := partsPerMillion(d.Percentage)
	if d.Percentage == nil {
		//lint:ignore SA1019 people still write it, and Istio still obeys it
		ppm = uint64(max(0, min(d.Percent, 100))) * 10_000
	}
	return Pause{ppm, d.GetFixedDelay().AsDuration()}
}

func badStatus(code int) error {
	if code < 200 || code >= 600 {
		return fmt.Errorf("status %d is not within 200 to 599", code)
	}
	return nil
}

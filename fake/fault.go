package fake

import (
	"fmt"
	"net/http"
	"time"

	networking "istio.io/api/networking/v1alpha3"
)

// fault is a share of requests, in parts per million, that get a status.
type fault struct {
	ppm  uint64
	code int
}

// pause is a share of requests, in parts per million, that are held back.
type pause struct {
	ppm uint64
	by  time.Duration
}

// compileAbort reads an abort. Without a percentage nothing is aborted. A status
// of gRPC is 200 in HTTP.
func compileAbort(a *networking.HTTPFaultInjection_Abort) (fault, error) {
	switch kind := a.GetErrorType().(type) {
	case *networking.HTTPFaultInjection_Abort_HttpStatus:
		code := int(kind.HttpStatus)
		return fault{partsPerMillion(a.Percentage), code}, place("fault.abort.httpStatus", badStatus(code))
	case *networking.HTTPFaultInjection_Abort_GrpcStatus:
		return fault{partsPerMillion(a.Percentage), http.StatusOK}, nil
	}
	return fault{}, nil
}

func compileDelay(d *networking.HTTPFaultInjection_Delay) pause {
	if d.GetFixedDelay() == nil {
		return pause{}
	}
	ppm := partsPerMillion(d.Percentage)
	if d.Percentage == nil {
		//lint:ignore SA1019 people still write it, and Istio still obeys it
		ppm = uint64(max(0, min(d.Percent, 100))) * 10_000
	}
	return pause{ppm, d.GetFixedDelay().AsDuration()}
}

func badStatus(code int) error {
	if code < 200 || code >= 600 {
		return fmt.Errorf("status %d is not within 200 to 599", code)
	}
	return nil
}

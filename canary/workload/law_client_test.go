package workload_test

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/workload"
)

// driverCall is a call of Promote or Restore that stands before its next request.
type driverCall struct {
	view
	next   func() (struct{}, bool)
	stop   func()
	lost   bool // the answer to the next request does not arrive
	answer canary.Answer
	err    error
}

var (
	errCrashed = errors.New("crashed")
	errLost    = errors.New("answer lost")
)

// interrupted is a Client that stands still before each request.
type interrupted struct {
	workload.Client
	call  *driverCall
	pause func() bool
}

func (c interrupted) Get(ctx context.Context, name string, o metav1.GetOptions) (*appsv1.Deployment, error) {
	return c.request(func() (*appsv1.Deployment, error) { return c.Client.Get(ctx, name, o) })
}

func (c interrupted) Patch(ctx context.Context, name string, pt types.PatchType, data []byte, o metav1.PatchOptions, sub ...string) (*appsv1.Deployment, error) {
	return c.request(func() (*appsv1.Deployment, error) { return c.Client.Patch(ctx, name, pt, data, o, sub...) })
}

func (c interrupted) request(do func() (*appsv1.Deployment, error)) (*appsv1.Deployment, error) {
	if c.call.err != nil || !c.pause() {
		c.call.err = errCrashed
		return nil, errCrashed
	}
	d, err := do()
	if c.call.lost {
		c.call.lost = false
		return nil, errLost
	}
	return d, err
}

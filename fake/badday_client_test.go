package fake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/routing"
)

// badClient is a real client that decodes an object only when it has changed: most of the
// time of a rollout went into that. Each Get is a request as before.
type badClient[T any] struct {
	routing.Client[T]
	rest     rest.Interface
	resource string

	mu   sync.Mutex
	last map[string]decoded[T] // by name
}

type decoded[T any] struct {
	raw    []byte
	object *T
}

func newBadClient[T any](c routing.Client[T], r rest.Interface, resource string) *badClient[T] {
	return &badClient[T]{Client: c, rest: r, resource: resource, last: map[string]decoded[T]{}}
}

// Get returns an object that nobody may change.
func (c *badClient[T]) Get(ctx context.Context, name string, _ metav1.GetOptions) (*T, error) {
	raw, err := c.rest.Get().Namespace(ns).Resource(c.resource).Name(name).Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := c.last[name]; bytes.Equal(last.raw, raw) {
		return last.object, nil
	}
	object := new(T)
	if err := json.Unmarshal(raw, object); err != nil {
		return nil, err
	}
	c.last[name] = decoded[T]{raw, object}
	return object, nil
}

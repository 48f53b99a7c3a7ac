package plane

import (
	"context"
	"iter"
	"path"

	etcd "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// History begins to follow an object of a CRD and returns the JSON of every
// version that is stored from now on, none left out, until ctx ends. It asks
// etcd: an API server that was started again has forgotten what was before, and
// sends those who watch away to begin anew. The sequence can be ranged over once.
func (p *Plane) History(ctx context.Context, resource schema.GroupResource, namespace, name string) (iter.Seq2[[]byte, error], error) {
	client, err := etcd.New(etcd.Config{Endpoints: []string{"http://" + address(p.ports.etcd)}, Context: ctx})
	if err != nil {
		return nil, err
	}
	versions := client.Watch(ctx, path.Join("/registry", resource.Group, resource.Resource, namespace, name))
	return func(yield func([]byte, error) bool) {
		defer client.Close()
		for v := range versions {
			if err := v.Err(); err != nil {
				yield(nil, err)
				return
			}
			for _, e := range v.Events {
				if !yield(e.Kv.Value, nil) {
					return
				}
			}
		}
		yield(nil, ctx.Err())
	}, nil
}

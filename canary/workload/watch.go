package workload

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-go/serin/canary"
)

// Watcher watches the Deployments of one namespace. The clients that are a [Client] are
// Watchers as well.
type Watcher interface {
	Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
}

var _ canary.Waker = (*Deployments)(nil)

// again is how long after the end of a watch the next one begins.
const again = time.Second

// Wake implements [canary.Waker]: with a Config.Watcher, the channel receives a value when
// the canary Deployment changes. Without one it is closed.
func (d *Deployments) Wake(ctx context.Context) <-chan struct{} {
	woken := make(chan struct{}, 1)
	if d.config.Watcher == nil {
		close(woken)
		return woken
	}
	go func() {
		defer close(woken)
		for ctx.Err() == nil {
			if w, err := d.watch(ctx); err == nil { // Check tells of an error; Run looks at intervals then
				wake(ctx, w, woken)
			}
			pause(ctx, again)
		}
	}()
	return woken
}

func (d *Deployments) watch(ctx context.Context) (watch.Interface, error) {
	return d.config.Watcher.Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, d.config.Canary).String(),
	})
}

// wake hands on each event, as one if several wait.
func wake(ctx context.Context, w watch.Interface, woken chan<- struct{}) {
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, more := <-w.ResultChan():
			if !more {
				return
			}
		}
		select {
		case woken <- struct{}{}:
		default:
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

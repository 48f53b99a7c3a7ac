package plane

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// node is the name of the only node.
const node = "node"

// kubelet runs all pods, as far as they run: see Plane.Serve. It is the scheduler
// as well. Each event brings a pod one state further; what comes of that is the
// next event. The zero value does nothing.
type kubelet struct {
	client   kubernetes.Interface
	logf     func(string, ...any)
	places   *places
	ctx      context.Context
	cancel   context.CancelFunc
	factory  informers.SharedInformerFactory
	services listers.ServiceLister

	mu       sync.Mutex
	next     int // address
	programs map[program]Program
	running  map[types.UID]*server
}

func (p *Plane) startKubelet(ctx context.Context) error {
	k := &p.kubelet
	k.ctx, k.cancel = context.WithCancel(context.Background()) // until stop
	config := p.Config()
	config.Dial = k.dial
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	k.client, k.logf, k.places = client, p.logf, p.places
	k.programs, k.running = map[program]Program{}, map[types.UID]*server{}
	const again = time.Second // for what went wrong
	k.factory = informers.NewSharedInformerFactory(client, again)
	pods := k.factory.Core().V1().Pods().Informer()
	_, err = pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { k.handle(o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { k.handle(o.(*corev1.Pod)) },
	})
	if err != nil {
		return err
	}
	services := k.factory.Core().V1().Services()
	k.services = services.Lister()
	k.factory.Start(k.ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced, services.Informer().HasSynced) {
		return context.Cause(ctx)
	}
	return nil
}

// dial connects to the API server, however long that is away: whoever is refused
// by it asks ever less often, up to once a minute.
func (k *kubelet) dial(ctx context.Context, network, address string) (net.Conn, error) {
	const pause = 50 * time.Millisecond
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, address)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-k.ctx.Done():
			return nil, k.ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (k *kubelet) stop() {
	if k.cancel != nil {
		k.cancel()
	}
	if k.factory != nil {
		k.factory.Shutdown()
		k.stopAll()
	}
}

func (k *kubelet) handle(pod *corev1.Pod) {
	err := k.advance(pod)
	switch {
	case err == nil, k.ctx.Err() != nil, apierrors.IsConflict(err), apierrors.IsNotFound(err),
		apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause): // there is a newer event
	case passing(err): // and is tried again
	default:
		k.logf("kubelet: pod %s/%s: %v", pod.Namespace, pod.Name, err)
	}
}

// passing reports whether an error is that of an API server that is away, or whose
// etcd is.
func passing(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, new(*url.Error)) || errors.As(err, &status) && status.Status().Code >= http.StatusInternalServerError
}

// advance does what is next for a pod.
func (k *kubelet) advance(pod *corev1.Pod) error {
	pods := k.client.CoreV1().Pods(pod.Namespace)
	switch {
	case pod.DeletionTimestamp != nil:
		if k.lingers(pod) {
			return nil
		}
		now := int64(0)
		return pods.Delete(k.ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID}})
	case pod.Spec.NodeName == "":
		return pods.Bind(k.ctx, &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, UID: pod.UID},
			Target:     corev1.ObjectReference{Kind: "Node", Name: node},
		}, metav1.CreateOptions{})
	case pod.Status.Phase == corev1.PodPending:
		s, err := k.serve(pod)
		if err != nil {
			return err
		}
		started := pod.DeepCopy()
		started.Status = running(pod, s)
		_, err = pods.UpdateStatus(k.ctx, started, metav1.UpdateOptions{})
		return err
	}
	return nil
}

// running is the status of a pod that has begun, and serves if it is ready.
func running(pod *corev1.Pod, s *server) corev1.PodStatus {
	now, address := metav1.Now(), s.pod.Address
	ready := corev1.ConditionTrue
	if s.unready {
		ready = corev1.ConditionFalse
	}
	status := corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}}, StartTime: &now}
	for _, c := range []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodInitialized, Status: corev1.ConditionTrue},
		{Type: corev1.ContainersReady, Status: ready}, {Type: corev1.PodReady, Status: ready},
	} {
		c.LastTransitionTime = now
		status.Conditions = append(status.Conditions, c)
	}
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: !s.unready, Started: new(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}

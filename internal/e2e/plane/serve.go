package plane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// Pod is what a Program knows of the pod that it runs for.
type Pod struct {
	Namespace, Name string
	// Address is its IP, which exists only in the cluster.
	Address string
	// Workload is the name of its Deployment; that of the pod if it has none.
	Workload string
	Labels   map[string]string
	places   *places
}

// Listen listens on a port of the pod's address.
func (p Pod) Listen(port int) (net.Listener, error) {
	at, err := p.places.of(p.Address, port)
	if err != nil {
		return nil, err
	}
	return net.Listen("tcp", at)
}

// Program is what a pod does: it begins to serve, and the function that it returns
// ends that.
type Program func(pod Pod) (stop func(), err error)

// ErrUnready is the error of a Program whose pod runs and never becomes ready.
var ErrUnready = errors.New("the pod is not ready")

// program names one: the image of a pod's first container, in a namespace.
type program struct{ namespace, image string }

// server is a Program that runs for a pod.
type server struct {
	pod     Pod
	program program
	stop    func() // nil if it has no program
	unready bool
	goes    bool // the pod is deleted
}

// linger is how long a pod that is deleted goes on serving, as a preStop hook
// makes it: the mesh needs as long to leave it.
const linger = time.Second

// Serve makes the pods of an image run a program. Pods that run already are left
// as they are. A pod without a program is ready and serves nothing.
func (p *Plane) Serve(namespace, image string, run Program) {
	p.kubelet.mu.Lock()
	defer p.kubelet.mu.Unlock()
	p.kubelet.programs[program{namespace, image}] = run
}

// Dial connects to an address of the cluster.
func (p *Plane) Dial(ctx context.Context, address string) (net.Conn, error) {
	ip, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	at, err := p.Place(ip, port)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", at)
}

// DialWorkload connects to a port of one of the pods of a Deployment.
func (p *Plane) DialWorkload(ctx context.Context, namespace, name, port string) (net.Conn, error) {
	pod, ok := p.kubelet.find(func(pod Pod) bool { return pod.Namespace == namespace && pod.Workload == name })
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("plane: %s/%s has no pod that serves", namespace, name)}
	}
	return p.Dial(ctx, net.JoinHostPort(pod.Address, port))
}

// find returns a pod whose program runs.
func (k *kubelet) find(wanted func(Pod) bool) (Pod, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.running {
		if s.stop != nil && wanted(s.pod) {
			return s.pod, true
		}
	}
	return Pod{}, false
}

// serve starts the program of a pod, if it has one. A pod that runs already is left as
// it is.
func (k *kubelet) serve(pod *corev1.Pod) (*server, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.running[pod.UID]; ok {
		return s, nil
	}
	k.next++
	s := &server{pod: describe(pod), program: program{pod.Namespace, pod.Spec.Containers[0].Image}}
	s.pod.Address, s.pod.places = k.places.pod(k.next), k.places
	if run, ok := k.programs[s.program]; ok {
		var err error
		s.stop, err = run(s.pod)
		if s.unready = errors.Is(err, ErrUnready); err != nil && !s.unready {
			return nil, err
		}
	}
	k.running[pod.UID] = s
	return s, nil
}

func describe(pod *corev1.Pod) Pod {
	workload := pod.Name
	if hash, ok := pod.Labels["pod-template-hash"]; ok && len(pod.OwnerReferences) > 0 {
		workload = strings.TrimSuffix(pod.OwnerReferences[0].Name, "-"+hash)
	}
	return Pod{Namespace: pod.Namespace, Name: pod.Name, Workload: workload, Labels: pod.Labels}
}

// lingers reports whether a pod that is deleted is still to be waited for. In
// the end, its program is stopped.
func (k *kubelet) lingers(pod *corev1.Pod) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.running[pod.UID]
	if !ok {
		return false
	}
	if !s.goes {
		s.goes = true
		time.AfterFunc(linger, func() { k.remove(pod.UID); k.handle(pod) })
	}
	return true
}

// ServiceOf is the name of the first of the Services that lead to a pod; "" if there
// is none.
func (p *Plane) ServiceOf(pod Pod) string {
	all, err := p.kubelet.services.Services(pod.Namespace).List(labels.Everything())
	all = slices.DeleteFunc(all, func(s *corev1.Service) bool {
		return len(s.Spec.Selector) == 0 || !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod.Labels))
	})
	if err != nil || len(all) == 0 {
		return ""
	}
	return slices.MinFunc(all, func(a, b *corev1.Service) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	}).Name
}

// RestartPods makes the programs in the pods of a Deployment begin anew, as a
// container does that ended: the pods stay what and where they are.
func (p *Plane) RestartPods(namespace, name string) {
	k := &p.kubelet
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.running {
		if s.stop == nil || s.pod.Namespace != namespace || s.pod.Workload != name {
			continue
		}
		s.stop()
		var err error
		if s.stop, err = k.programs[s.program](s.pod); err != nil {
			k.logf("kubelet: pod %s/%s: %v", namespace, s.pod.Name, err)
		}
	}
}

// remove stops the program of a pod.
func (k *kubelet) remove(pod types.UID) {
	k.mu.Lock()
	s, ok := k.running[pod]
	delete(k.running, pod)
	k.mu.Unlock()
	if ok && s.stop != nil {
		s.stop()
	}
}

func (k *kubelet) stopAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.running {
		if s.stop != nil {
			s.stop()
		}
	}
}

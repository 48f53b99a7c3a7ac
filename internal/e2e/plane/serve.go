package plane

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
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
}

// Program is what a pod does: it begins to serve on the listener, whatever the
// port that is called, and the function that it returns ends that.
type Program func(pod Pod, l net.Listener) (stop func())

// program names one: the image of a pod's first container, in a namespace.
type program struct{ namespace, image string }

// server is a Program that runs for a pod.
type server struct {
	pod     Pod
	program program
	address string // where it is really
	stop    func()
	goes    bool // the pod is deleted
}

// linger is how long a pod that is deleted goes on serving, as a preStop hook
// makes it: the mesh needs as long to leave it.
const linger = 500 * time.Millisecond

// Serve makes the pods of an image run a program. Pods that run already are left
// as they are. A pod without a program is ready and serves nothing.
//
// The address of a pod is no address of this machine: Dial finds it.
func (p *Plane) Serve(namespace, image string, run Program) {
	p.kubelet.mu.Lock()
	defer p.kubelet.mu.Unlock()
	p.kubelet.programs[program{namespace, image}] = run
}

// Dial connects to a pod by its address, on any port.
func (p *Plane) Dial(ctx context.Context, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return p.dial(ctx, address, func(pod Pod) bool { return pod.Address == host })
}

// DialWorkload connects to one of the pods of a Deployment.
func (p *Plane) DialWorkload(ctx context.Context, namespace, name string) (net.Conn, error) {
	return p.dial(ctx, namespace+"/"+name, func(pod Pod) bool { return pod.Namespace == namespace && pod.Workload == name })
}

func (p *Plane) dial(ctx context.Context, name string, wanted func(Pod) bool) (net.Conn, error) {
	address, ok := p.kubelet.find(wanted)
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("plane: no pod serves at %s", name)}
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

func (k *kubelet) find(wanted func(Pod) bool) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.running {
		if s.address != "" && wanted(s.pod) {
			return s.address, true
		}
	}
	return "", false
}

// serve starts the program of a pod, if it has one, and returns the pod's
// address. A pod that runs already is left as it is.
func (k *kubelet) serve(pod *corev1.Pod) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.running[pod.UID]; ok {
		return s.pod.Address, nil
	}
	k.next++
	s := &server{pod: describe(pod, fmt.Sprintf("10.99.%d.%d", k.next/250, 1+k.next%250)), stop: func() {}}
	s.program = program{pod.Namespace, pod.Spec.Containers[0].Image}
	if run, ok := k.programs[s.program]; ok {
		if err := s.start(run); err != nil {
			return "", err
		}
	}
	k.running[pod.UID] = s
	return s.pod.Address, nil
}

func describe(pod *corev1.Pod, address string) Pod {
	workload := pod.Name
	if hash, ok := pod.Labels["pod-template-hash"]; ok && len(pod.OwnerReferences) > 0 {
		workload = strings.TrimSuffix(pod.OwnerReferences[0].Name, "-"+hash)
	}
	return Pod{pod.Namespace, pod.Name, address, workload, pod.Labels}
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

// RestartPods makes the programs in the pods of a Deployment begin anew, as a
// container does that ended: the pods stay what they are.
func (p *Plane) RestartPods(namespace, name string) {
	k := &p.kubelet
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.running {
		if s.address == "" || s.pod.Namespace != namespace || s.pod.Workload != name {
			continue
		}
		s.stop()
		if err := s.start(k.programs[s.program]); err != nil {
			k.logf("kubelet: pod %s/%s: %v", namespace, s.pod.Name, err)
		}
	}
}

// start runs the program, on a port of its own.
func (s *server) start(run Program) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.address, s.stop = l.Addr().String(), run(s.pod, l)
	return nil
}

// remove stops the program of a pod.
func (k *kubelet) remove(pod types.UID) {
	k.mu.Lock()
	s, ok := k.running[pod]
	delete(k.running, pod)
	k.mu.Unlock()
	if ok {
		s.stop()
	}
}

func (k *kubelet) stopAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.running {
		s.stop()
	}
}

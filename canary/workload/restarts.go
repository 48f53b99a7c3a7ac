package workload

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-go/serin/canary"
)

// tally is how often the containers of some pods have restarted since the rollout began. A pod
// tells how often a container restarted in all, and when it did last.
type tally struct {
	pods int
	// least and most are the bounds: a container of a pod that is older than the rollout has
	// restarted once at least, if the last time was since then, and as often as it did in all at
	// most.
	least, most int64
	// ever counts all restarts that were not the node's doing.
	ever int64
	// last is the latest restart of each container that has restarted since then, by its name.
	last map[string]restart
}

// restart is one restart of a container.
type restart struct {
	at  time.Time // zero if that is not known
	why string
}

// countRestarts counts the restarts since the rollout began. If began is zero, all count.
func countRestarts(pods []*corev1.Pod, began time.Time) tally {
	t := tally{pods: len(pods), last: map[string]restart{}}
	for _, pod := range pods {
		young := !pod.CreationTimestamp.Time.Before(began)
		for _, s := range statuses(pod) {
			t.add(&s, young, began)
		}
	}
	return t
}

// add counts one container.
func (t *tally) add(s *corev1.ContainerStatus, young bool, began time.Time) {
	n := int64(max(0, s.RestartCount))
	at := lastRestart(s)
	since := n > 0 && (young || !at.IsZero() && !at.Before(began))
	if since {
		t.most += n
	}
	if lost(s) {
		return // nor does that speak against the version
	}
	t.ever += n
	switch {
	case !since:
		return
	case young:
		t.least += n
	default:
		t.least++
	}
	if last, ok := t.last[s.Name]; !ok || at.After(last.at) {
		t.last[s.Name] = restart{at, why(s)}
	}
}

// correct uses how often the canary had restarted before: what is more than that is new.
func (t *tally) correct(pin canary.Pin) {
	before, err := strconv.ParseInt(pin.Restarts, 10, 64)
	if err == nil && before >= 0 {
		t.least = max(t.least, t.ever-before)
	}
}

// restartsEver counts all restarts of the pods.
func restartsEver(pods []*corev1.Pod) (n int64) {
	for _, pod := range pods {
		for _, s := range statuses(pod) {
			n += int64(max(0, s.RestartCount))
		}
	}
	return n
}

// lastRestart is when a container restarted last; zero if that cannot be told.
func lastRestart(s *corev1.ContainerStatus) (at time.Time) {
	if last := s.LastTerminationState.Terminated; last != nil {
		at = last.FinishedAt.Time
	}
	if now := s.State.Running; now != nil && now.StartedAt.After(at) {
		at = now.StartedAt.Time
	}
	return at
}

// lost reports whether the node was the last to end a container, as when it is rebooted: the
// kubelet and the container runtime do not know then how it ended.
func lost(s *corev1.ContainerStatus) bool {
	last := s.LastTerminationState.Terminated
	return last != nil && (last.Reason == "Unknown" || last.Reason == "ContainerStatusUnknown")
}

// why is what the kubelet says of the last end of a container.
func why(s *corev1.ContainerStatus) string {
	var words []string
	if last := s.LastTerminationState.Terminated; last != nil {
		words = append(words, cmp.Or(last.Reason, "no reason"))
		if last.Reason != "OOMKilled" {
			words = append(words, fmt.Sprintf("exit code %d", last.ExitCode))
		}
	}
	if s.State.Waiting != nil && s.State.Waiting.Reason != "" {
		words = append(words, s.State.Waiting.Reason)
	}
	return cmp.Or(strings.Join(words, ", "), "reason not known")
}

// comparison is of the restarts of the two arms.
type comparison struct{ stable, canary tally }

// exceeds reports whether the canary has surely restarted more often per pod than so many times
// what stable has. It has not if there is no pod of stable.
func (c *comparison) exceeds(times float64) bool {
	return float64(c.canary.least)*float64(c.stable.pods) > times*float64(c.stable.most)*float64(c.canary.pods)
}

// judge says what the canary's restarts are, if they are more per pod than those of stable, and
// whether they fail the canary. What ends both arms alike, such as a database that is away, fails
// neither: the canary has to have restarted more than twice as often.
func (c *comparison) judge(config Config) (told string, fails bool) {
	if c.canary.least == 0 || c.stable.pods > 0 && !c.exceeds(1) {
		return "", false
	}
	told = fmt.Sprintf("canary %s: %s restarted %s in %s since the rollout began, stable %s %s in %d",
		config.Canary, c.canary.containers(), often(c.canary.least), podCount(c.canary.pods), config.Stable, c.stable.atMost(), c.stable.pods)
	if config.MaxRestarts == 0 || c.canary.least <= int64(config.MaxRestarts) || !c.exceeds(2) {
		return told, false
	}
	return fmt.Sprintf("%s; at most %d are allowed", told, config.MaxRestarts), true
}

// containers names those that have restarted, with the reasons.
func (t *tally) containers() string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(t.last)) {
		names = append(names, fmt.Sprintf("container %s (%s)", name, t.last[name].why))
	}
	return cmp.Or(strings.Join(names, " and "), "a container")
}

func (t *tally) atMost() string {
	if t.least == t.most {
		return often(t.most)
	}
	return "at most " + often(t.most)
}

func often(n int64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func podCount(n int) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}

// joined joins what is to be told.
func joined(told []string) string {
	return strings.Join(slices.DeleteFunc(told, func(s string) bool { return s == "" }), "; ")
}

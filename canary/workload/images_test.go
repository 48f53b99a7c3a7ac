package workload

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

var (
	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
	digestC = "sha256:" + strings.Repeat("c", 64)
)

func TestTheDigestInARegistryIsReadFromAnImageID(t *testing.T) {
	for id, want := range map[string]string{
		"docker-pullable://reviews@" + digestA:       digestA,
		"docker.io/library/reviews@" + digestA:       digestA,
		"localhost:5000/shop/reviews:1@" + digestA:   digestA,
		"reviews@sha512:" + strings.Repeat("0", 128): "sha512:" + strings.Repeat("0", 128),
		digestA:                               "", // of the configuration
		"docker://" + digestA:                 "",
		"":                                    "",
		"reviews:1":                           "",
		"@" + digestA:                         "",
		"reviews@" + digestA + "@x":           "",
		"reviews@sha256:abc":                  "",
		"reviews@" + digestA[:70]:             "",
		"reviews@sha256:":                     "",
		"reviews@" + strings.ToUpper(digestA): "",
	} {
		require.Equal(t, want, digestOf(id), id)
	}
}

func FuzzDigestOf(f *testing.F) {
	for _, id := range []string{"docker-pullable://reviews@" + digestA, digestA, "a@b:c", "@", ""} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		digest := digestOf(id)
		if digest == "" {
			return
		}
		require.True(t, strings.HasSuffix(id, "@"+digest))
		require.True(t, strings.HasPrefix(digest, short(digest)))
		require.Less(t, len(short(digest)), len(digest))
	})
}

// runsImage is a pod of a template, with the containers' images and imageIDs in turn.
func runsImage(hash string, imagesAndIDs ...string) *corev1.Pod {
	p := pod(after)
	p.Labels = map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: hash}
	for i := 0; i < len(imagesAndIDs); i += 2 {
		name := string(rune('a' + i/2))
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, Image: imagesAndIDs[i]})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, ImageID: imagesAndIDs[i+1]})
	}
	return p
}

func TestImagesThatDifferUnderOneTagAreTold(t *testing.T) {
	const tag = "reviews:2"
	a, b := "reviews@"+digestA, "reviews@"+digestB
	for name, c := range map[string]struct {
		pods []*corev1.Pod
		told []string
	}{
		"none": {},
		"one":  {pods: many(3, runsImage("x", tag, a))},
		"two": {
			pods: append(many(3, runsImage("x", tag, a)), runsImage("x", tag, b)),
			told: []string{"canary v2: container a runs different images under the name reviews:2: sha256:aaaaaaaaaaaa in 3 pods, sha256:bbbbbbbbbbbb in 1 pod; use a digest in place of the tag"},
		},
		"three": {
			pods: []*corev1.Pod{runsImage("x", tag, b), runsImage("x", tag, a), runsImage("x", tag, "reviews@"+digestC)},
			told: []string{"canary v2: container a runs different images under the name reviews:2: sha256:aaaaaaaaaaaa in 1 pod, sha256:bbbbbbbbbbbb in 1 pod, 1 more; use a digest in place of the tag"},
		},
		"two repositories of one image": {pods: []*corev1.Pod{runsImage("x", tag, a), runsImage("x", tag, "docker-pullable://mirror/reviews@"+digestA)}},
		"two pod templates":             {pods: []*corev1.Pod{runsImage("x", tag, a), runsImage("y", tag, b)}},
		"another image":                 {pods: []*corev1.Pod{runsImage("x", tag, a), runsImage("x", "reviews:3", b)}},
		"named by its digest":           {pods: []*corev1.Pod{runsImage("x", "reviews@"+digestC, a), runsImage("x", "reviews@"+digestC, b)}},
		"ids of the configuration":      {pods: []*corev1.Pod{runsImage("x", tag, digestA), runsImage("x", tag, digestB), runsImage("x", tag, a)}},
		"not pulled yet":                {pods: []*corev1.Pod{runsImage("x", tag, a), runsImage("x", tag, "")}},
		"two containers": {
			pods: []*corev1.Pod{runsImage("x", tag, a, "log:1", a), runsImage("x", tag, a, "log:1", b)},
			told: []string{"canary v2: container b runs different images under the name log:1: sha256:aaaaaaaaaaaa in 1 pod, sha256:bbbbbbbbbbbb in 1 pod; use a digest in place of the tag"},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.told, mixedImages("canary v2", c.pods)) })
	}
	stray := runsImage("x", tag, a)
	stray.Spec.Containers = nil
	require.Empty(t, mixedImages("canary v2", []*corev1.Pod{stray, runsImage("x", tag, b)}), "its image is not known")
}

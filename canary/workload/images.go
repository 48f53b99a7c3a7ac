package workload

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// digestOf returns the digest in a registry that an imageID names: "sha256:..." of
// "docker-pullable://repo@sha256:..." and "repo@sha256:...". It returns "" for other forms. A bare
// "sha256:..." is the digest of the configuration, which differs between the architectures of one
// image, and says nothing about the registry.
func digestOf(imageID string) string {
	repo, digest, found := strings.Cut(imageID, "@")
	algorithm, hex, whole := strings.Cut(digest, ":")
	const shortest = 64 // sha256, of the algorithms that the OCI knows
	plain := func(r rune) bool { return '0' <= r && r <= '9' || 'a' <= r && r <= 'f' }
	if !found || !whole || repo == "" || algorithm == "" || len(hex) < shortest || strings.TrimFunc(hex, plain) != "" {
		return ""
	}
	return digest
}

// short shortens a digest for people.
func short(digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return algorithm + ":" + hex[:min(len(hex), 12)]
}

// running is a container of a pod template, with the image that the pods have.
type running struct{ hash, container, image string }

// mixedImages tells of images that are not the same in all pods of one pod template. An image that
// is named by its digest is always the same.
func mixedImages(of string, pods []*corev1.Pod) (told []string) {
	digests := map[running]map[string]int{}
	for _, pod := range pods {
		images := imagesOf(&corev1.PodTemplateSpec{Spec: pod.Spec})
		for _, s := range statuses(pod) {
			digest, image := digestOf(s.ImageID), images[s.Name]
			if digest == "" || image == "" || strings.Contains(image, "@") {
				continue
			}
			key := running{pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey], s.Name, image}
			if digests[key] == nil {
				digests[key] = map[string]int{}
			}
			digests[key][digest]++
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(digests), running.compare) {
		if have := digests[key]; len(have) > 1 {
			told = append(told, fmt.Sprintf("%s: container %s runs different images under the name %s: %s; use a digest in place of the tag", of, key.container, key.image, digestWords(have)))
		}
	}
	return told
}

func (r running) compare(s running) int {
	return cmp.Or(cmp.Compare(r.container, s.container), cmp.Compare(r.image, s.image), cmp.Compare(r.hash, s.hash))
}

// digestWords names the two digests that most pods run.
func digestWords(pods map[string]int) string {
	const most = 2
	digests := slices.SortedFunc(maps.Keys(pods), func(a, b string) int {
		return cmp.Or(cmp.Compare(pods[b], pods[a]), cmp.Compare(a, b))
	})
	var words []string
	for _, digest := range digests[:min(len(digests), most)] {
		words = append(words, fmt.Sprintf("%s in %s", short(digest), podCount(pods[digest])))
	}
	if more := len(digests) - most; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, ", ")
}

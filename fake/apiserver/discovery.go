package apiserver

import (
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// discover answers requests for the API's resources rather than for objects.
func discover(parts []string) (Answer, bool) {
	switch path := strings.Join(parts, "/"); {
	case path == "version":
		return found(version.Info{Major: "1", Minor: "36", GitVersion: "v1.36.0-fake"}), true
	case path == "api":
		return found(metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: []string{"v1"}}), true
	case path == "apis":
		return found(groupList()), true
	case parts[0] == "api" && len(parts) == 2:
		return resourceList(schema.GroupVersion{Version: parts[1]})
	case parts[0] == "apis" && len(parts) == 3:
		return resourceList(schema.GroupVersion{Group: parts[1], Version: parts[2]})
	}
	return Answer{}, false
}

func found(value any) Answer { return Answer{Code: http.StatusOK, Body: encode(value)} }

func groupList() metav1.APIGroupList {
	list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	for _, r := range resources {
		known := slices.ContainsFunc(list.Groups, func(g metav1.APIGroup) bool { return g.Name == r.group })
		if r.group == "" || known {
			continue
		}
		group := metav1.APIGroup{Name: r.group}
		for _, v := range r.versions {
			group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: r.apiVersion(v), Version: v})
		}
		group.PreferredVersion = group.Versions[0]
		list.Groups = append(list.Groups, group)
	}
	return list
}

// resourceList returns the resources of a group and version; false if there are none.
func resourceList(gv schema.GroupVersion) (Answer, bool) {
	list := metav1.APIResourceList{
		TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
		GroupVersion: gv.String(),
	}
	for _, r := range resources {
		if r.group != gv.Group || !slices.Contains(r.versions, gv.Version) {
			continue
		}
		verbs := metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
		if r.review {
			verbs = verbs[:1]
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{Name: r.name, Kind: r.kind, Namespaced: !r.global, Verbs: verbs})
		if !r.plain {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: r.name + "/status", Kind: r.kind, Namespaced: !r.global,
				Verbs: metav1.Verbs{"get", "patch", "update"},
			})
		}
		if r.scalable {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: r.name + "/scale", Group: scaleGroup, Version: scaleVersion, Kind: scales.kind, Namespaced: !r.global,
				Verbs: metav1.Verbs{"get", "patch", "update"},
			})
		}
	}
	return found(list), len(list.APIResources) > 0
}

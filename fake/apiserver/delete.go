package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func (s *Server) doDelete(c Call, old entry) (Answer, error) {
	options, err := c.deleteOptions()
	if err != nil {
		return Answer{}, err
	}
	if p := options.Preconditions; p != nil {
		if err := precondition(old, *p); err != nil {
			return Answer{}, err
		}
	}
	left, err := s.remove(old, c.dryRun || len(options.DryRun) > 0)
	if err != nil {
		return Answer{}, err
	}
	if left != nil {
		return Answer{Code: http.StatusOK, Body: left.in(c.version)}, nil
	}
	return success(&metav1.StatusDetails{
		Name: old.name, Group: old.res.group, Kind: old.res.name, UID: types.UID(old.uid),
	}), nil
}

func (s *Server) doDeleteCollection(c Call) (Answer, error) {
	selects, err := selector(c)
	if err != nil {
		return Answer{}, err
	}
	options, err := c.deleteOptions()
	if err != nil {
		return Answer{}, err
	}
	for _, o := range s.store.list(c.res, c.Namespace) {
		if !selects(o) {
			continue
		}
		if _, err := s.remove(s.store.entries[c.res][o.key], c.dryRun || len(options.DryRun) > 0); err != nil {
			return Answer{}, err
		}
	}
	return success(nil), nil
}

func (c Call) deleteOptions() (metav1.DeleteOptions, error) {
	var options metav1.DeleteOptions
	if len(c.Body) == 0 {
		return options, nil
	}
	if err := json.Unmarshal(c.Body, &options); err != nil {
		return options, apierrors.NewBadRequest(fmt.Sprintf("error decoding the delete options: %v", err))
	}
	return options, nil
}

func success(details *metav1.StatusDetails) Answer {
	return Answer{Code: http.StatusOK, Body: encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusSuccess,
		Details:  details,
	})}
}

// remove deletes an object. An object with finalizers is marked as being deleted instead,
// and returned.
func (s *Server) remove(old entry, dryRun bool) (*object, error) {
	meta := metadata(old.tree)
	switch {
	case meta["finalizers"] == nil && dryRun:
		return nil, nil
	case meta["finalizers"] == nil:
		return nil, s.store.remove(old)
	case meta["deletionTimestamp"] != nil:
		return old.object, nil
	}
	marks := map[string]any{"deletionTimestamp": now(), "deletionGracePeriodSeconds": int64(0)}
	if generation, ok := meta["generation"].(int64); ok {
		marks["generation"] = generation + 1
	}
	next := withMetadata(old.tree, marks)
	if dryRun {
		return newObject(old.key, old.version, next)
	}
	return s.store.commit(old.key, next)
}

// precondition compares an object with the preconditions of a delete request.
func precondition(old entry, want metav1.Preconditions) error {
	if want.UID != nil && string(*want.UID) != old.uid {
		return otherUID(old, string(*want.UID))
	}
	if version := text(metadata(old.tree), "resourceVersion"); want.ResourceVersion != nil && *want.ResourceVersion != version {
		return conflict(old.key, fmt.Errorf("precondition failed: resourceVersion in precondition: %s, resourceVersion in object meta: %s",
			*want.ResourceVersion, version))
	}
	return nil
}

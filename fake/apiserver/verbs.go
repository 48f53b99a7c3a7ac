package apiserver

import (
	"bytes"
	"fmt"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

func (s *Server) doGet(c Call) (Answer, error) {
	s.store.RLock()
	defer s.store.RUnlock()
	e, ok := s.store.get(c.key())
	if !ok {
		return Answer{}, notFound(c.key())
	}
	if c.Subresource == "scale" {
		raw, err := scaleOf(e.tree)
		return Answer{Code: http.StatusOK, Body: raw}, err
	}
	return Answer{Code: http.StatusOK, Body: e.in(c.version)}, nil
}

func (s *Server) doList(c Call) (Answer, error) {
	selects, err := selector(c)
	if err != nil {
		return Answer{}, err
	}
	s.store.RLock()
	defer s.store.RUnlock()
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"%d"},"items":[`,
		c.res.kind+"List", c.res.apiVersion(c.version), s.store.version)
	first := true
	for _, o := range s.store.list(c.res, c.Namespace) {
		if !selects(o) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.Write(o.in(c.version))
	}
	b.WriteString("]}")
	return Answer{Code: http.StatusOK, Body: b.Bytes()}, nil
}

// selector returns a function that reports whether an object matches the selectors of a
// call. A nil object never matches.
func selector(c Call) (func(*object) bool, error) {
	byLabel, err := labels.Parse(c.query.Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("unable to parse the label selector: %v", err))
	}
	byField, err := fields.ParseSelector(c.query.Get("fieldSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("unable to parse the field selector: %v", err))
	}
	for _, r := range byField.Requirements() {
		if r.Field != "metadata.name" && r.Field != "metadata.namespace" {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("field label not supported: %s", r.Field))
		}
	}
	return func(o *object) bool {
		return o != nil && byLabel.Matches(o.labels) &&
			byField.Matches(fields.Set{"metadata.name": o.name, "metadata.namespace": o.namespace})
	}, nil
}

// doWrite executes a verb that changes something.
func (s *Server) doWrite(c Call) (Answer, error) {
	s.store.Lock()
	defer s.store.Unlock()
	switch c.Verb {
	case "create":
		return s.doCreate(c)
	case "deletecollection":
		return s.doDeleteCollection(c)
	}
	var next map[string]any
	var err error
	if c.Verb == "update" && c.Subresource != "scale" { // a document that cannot be read is refused before its object is looked for
		if next, err = s.document(c.key(), c); err != nil {
			return Answer{}, err
		}
	}
	old, ok := s.store.get(c.key())
	if !ok {
		return Answer{}, notFound(c.key())
	}
	if c.Subresource == "scale" {
		return s.doScale(c, old)
	}
	var o *object
	switch c.Verb {
	case "delete":
		return s.doDelete(c, old)
	case "patch":
		o, err = s.patch(c, old)
	default:
		o, err = s.put(c, old, next)
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{Code: http.StatusOK, Body: o.in(c.version)}, nil
}

func (s *Server) doCreate(c Call) (Answer, error) {
	if c.res.review {
		return Answer{Code: http.StatusCreated, Body: encode(authorizationv1.SelfSubjectAccessReview{
			TypeMeta: metav1.TypeMeta{Kind: c.res.kind, APIVersion: c.res.apiVersion(c.version)},
			Status:   authorizationv1.SubjectAccessReviewStatus{Allowed: true},
		})}, nil
	}
	tree, err := s.document(c.key(), c)
	if err != nil {
		return Answer{}, err
	}
	k := c.key()
	k.name = s.chooseName(metadata(tree))
	o, err := s.create(k, tree, c, false)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Code: http.StatusCreated, Body: o.in(c.version)}, nil
}

func (s *Server) put(c Call, old entry, next map[string]any) (*object, error) {
	meta := metadata(next)
	if uid := text(meta, "uid"); uid != "" && uid != old.uid {
		return nil, otherUID(old, uid)
	}
	if err := fresh(old, text(meta, "resourceVersion")); err != nil {
		return nil, err
	}
	return s.replace(old, next, replacing{call: c})
}

// document reads the body of a create or update.
func (s *Server) document(k key, c Call) (map[string]any, error) {
	if c.mediaType != "" && c.mediaType != "application/json" && c.mediaType != "application/yaml" {
		return nil, unsupported(fmt.Sprintf("the body of the request was in an unsupported format: %s", c.mediaType))
	}
	return s.decode(k, c.Body, c)
}

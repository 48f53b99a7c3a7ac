package workload

import (
	"errors"
	"fmt"
	"reflect"
)

// known is a Floor that tells what it is of.
type known interface {
	// object names the object and its field; "" if the Floor is not complete.
	object() string
	// mistake says why it is no Floor of a Deployment; nil if it may be.
	mistake(namespace, deployment string) error
	// off reports whether nothing is scaled as long as there are so many replicas.
	off(replicas int32) bool
}

// problems returns every mistake in the Scaling of a Config that names its Deployments.
func (c *Config) problems() (errs []error) {
	objects := map[string]bool{}
	for _, v := range []struct {
		name, deployment string
		floor            Floor
	}{{"Stable", c.Stable, c.Scaling.Stable}, {"Canary", c.Canary, c.Scaling.Canary}} {
		if v.floor == nil {
			continue
		}
		err := mistakeOf(v.floor, c.Namespace, v.deployment)
		if k, ok := v.floor.(known); ok && err == nil && k.object() != "" {
			if objects[k.object()] {
				err = fmt.Errorf("it is %s, which is Scaling.Stable already", k.object())
			}
			objects[k.object()] = true
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("workload: Scaling.%s: %w", v.name, err))
		}
	}
	if c.Load != nil && c.Scaling.Stable == nil {
		errs = append(errs, errors.New("workload: Load is of no use without Scaling.Stable, which says how far stable may grow: set it, or ReadOnly of it"))
	}
	return errs
}

// mistakeOf says why f is no Floor of a Deployment, as far as it tells.
func mistakeOf(f Floor, namespace, deployment string) error {
	if v := reflect.ValueOf(f); f == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return errors.New("it is a nil Floor")
	}
	if k, ok := f.(known); ok {
		return k.mistake(namespace, deployment)
	}
	return nil
}

func (f Field[T]) object() string {
	return fmt.Sprintf("%s of %s %s/%s", f.Pointer, f.Kind, f.Namespace, f.Name)
}

func (f Field[T]) off(replicas int32) bool { return f.idles && replicas == 0 }

func (f Field[T]) mistake(namespace, deployment string) error {
	switch {
	case f.Objects == nil:
		return errors.New("the client is missing")
	case f.Name == "" || f.Pointer == "" || f.Read == nil:
		return errors.New("a Field needs Name, Pointer and Read")
	case f.deployment != "" && (f.deployment != deployment || f.Namespace != namespace):
		return fmt.Errorf("it scales Deployment %s/%s, not %s/%s", f.Namespace, f.deployment, namespace, deployment)
	}
	return nil
}

func (f readOnly) object() string {
	if k, ok := f.Floor.(known); ok {
		return k.object()
	}
	return ""
}

func (f readOnly) off(replicas int32) bool {
	k, ok := f.Floor.(known)
	return ok && k.off(replicas)
}

func (f readOnly) mistake(namespace, deployment string) error {
	return mistakeOf(f.Floor, namespace, deployment)
}

// off reports whether a Floor scales nothing because there are no replicas: a
// HorizontalPodAutoscaler leaves what is scaled to zero alone.
func off(f Floor, replicas int32) bool {
	k, ok := f.(known)
	return ok && k.off(replicas)
}

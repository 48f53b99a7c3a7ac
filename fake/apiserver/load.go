package apiserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// manifest is one document of a stream.
type manifest struct {
	at   int // counted from 1
	key  key
	tree map[string]any
}

// Load creates the objects in a stream of YAML or JSON documents (separated by "---"), or
// replaces those that exist. A namespaced object without a namespace goes to "default".
// The status is kept; uid, resourceVersion and the like are not. Load validates the schema
// and, if it is on, runs Istio's validating webhook. It does not call the test's hooks.
//
// If a document is not valid YAML, has a duplicate key, is of an unknown kind, has an
// unknown field in a core or apps object, or is refused, nothing is loaded. The error
// then describes the mistakes of each document, by its number. There is one exception: if
// a document may not replace the existing object, for example with another selector of a
// Deployment, the documents before it stay loaded.
func (s *Server) Load(manifests []byte) error {
	all, err := s.readManifests(manifests)
	if err != nil {
		return err
	}
	defer s.store.delivery.deliver()
	s.store.Lock()
	defer s.store.Unlock()
	for _, m := range all {
		if err := s.load(m); err != nil {
			return m.wrong(err)
		}
	}
	return nil
}

func (s *Server) load(m manifest) error {
	old, exists := s.store.get(m.key)
	if !exists {
		_, err := s.create(m.key, m.tree, Call{}, true)
		return err
	}
	if given, _ := m.tree["status"].(map[string]any); len(given) == 0 {
		m.tree = withMember(m.tree, old.tree, "status")
	}
	_, err := s.replace(old, m.tree, replacing{status: true})
	return err
}

func (s *Server) readManifests(manifests []byte) ([]manifest, error) {
	var all []manifest
	var errs []error
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for at := 1; ; at++ {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, errors.Join(errs...)
		}
		if err != nil {
			return nil, fmt.Errorf("apiserver: document %d: %w", at, err)
		}
		m := manifest{at: at}
		if err := m.read(doc, s.prune.Load()); err != nil {
			errs = append(errs, m.wrong(err))
			continue
		}
		if m.tree == nil {
			continue
		}
		if err := s.validate(m.key, m.tree, nil); err != nil {
			errs = append(errs, m.wrong(err))
			continue
		}
		all = append(all, m)
	}
}

// read parses a document. The tree stays nil if the document has only comments.
func (m *manifest) read(doc []byte, prune bool) error {
	raw, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return err
	}
	if string(bytes.TrimSpace(raw)) == "null" {
		return nil
	}
	tree, err := parse(raw)
	if err != nil {
		return err
	}
	apiVersion, kind := text(tree, "apiVersion"), text(tree, "kind")
	m.key.res = findKind(apiVersion, kind)
	if m.key.res == nil {
		return fmt.Errorf("unknown kind %q in apiVersion %q", kind, apiVersion)
	}
	meta := metadata(tree)
	m.key.name, m.key.namespace = text(meta, "name"), text(meta, "namespace")
	if m.key.namespace == "" && !m.key.res.global {
		m.key.namespace = "default"
	}
	if m.tree, err = m.key.res.read(raw, tree, m.key.res.native != nil, prune); err != nil {
		return err
	}
	m.tree = withMetadata(m.tree, m.key.names())
	for _, own := range serversOwn {
		delete(metadata(m.tree), own)
	}
	return nil
}

func (m manifest) wrong(err error) error {
	if m.key.res == nil {
		return fmt.Errorf("apiserver: document %d: %w", m.at, err)
	}
	return fmt.Errorf("apiserver: document %d: %s %s/%s: %w", m.at, m.key.res.kind, m.key.namespace, m.key.name, err)
}

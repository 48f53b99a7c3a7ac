package fake

// Kept returns how many views the proxies of a mesh hold on to.
func Kept(m *Mesh) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := map[*view]bool{}
	for _, h := range m.views.seen {
		for ; h != nil; h = h.before {
			kept[h.view] = true
		}
	}
	return len(kept)
}

package sql

import "slices"

// maxPrepared is how many statements Prepared remembers.
const maxPrepared = 256

// Prepared are the prepared statements of a connection, by what names them. Where there are too
// many, the oldest one goes. Its zero value is empty.
type Prepared[K comparable] struct {
	byName map[K]*Statement
	names  []K
}

// Put remembers s, which may be nil: that nothing is known of it.
func (p *Prepared[K]) Put(name K, s *Statement) {
	if _, known := p.byName[name]; !known {
		if len(p.names) >= maxPrepared {
			delete(p.byName, p.names[0])
			p.names = p.names[1:]
		}
		if p.byName == nil {
			p.byName = make(map[K]*Statement)
		}
		p.names = append(p.names, name)
	}
	p.byName[name] = s
}

// Get returns what is known of a statement, nil where nothing is.
func (p *Prepared[K]) Get(name K) *Statement { return p.byName[name] }

// Remove forgets a statement.
func (p *Prepared[K]) Remove(name K) {
	if _, known := p.byName[name]; !known {
		return
	}
	delete(p.byName, name)
	p.names = slices.DeleteFunc(p.names, func(other K) bool { return other == name })
}

// Clear forgets all.
func (p *Prepared[K]) Clear() { *p = Prepared[K]{} }

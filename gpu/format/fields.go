// SPDX-License-Identifier: Apache-2.0

package format

import "math"

// Fields are the members of an object, taken one by one; what nobody took is
// looked at last. After the first error, kept in Err, methods return zero. A
// member that is null counts as absent.
type Fields struct {
	At  Value // the object
	Err error

	m    map[string]Value
	keys []string // in file order
}

// NewFields reads the members of v. The error is in Err, too.
func NewFields(v Value) *Fields {
	f := &Fields{At: v, m: map[string]Value{}}
	f.Err = v.Object(func(key string, v Value) error {
		f.m[key] = v
		f.keys = append(f.keys, key)
		return nil
	})
	return f
}

// Fail keeps err if there was none before.
func (f *Fields) Fail(err error) {
	if f.Err == nil {
		f.Err = err
	}
}

// Peek returns a member, null too, and leaves it.
func (f *Fields) Peek(name string) (Value, bool) {
	v, ok := f.m[name]
	return v, ok
}

// Take removes a member and returns it, unless it is null or absent.
func (f *Fields) Take(name string) (Value, bool) {
	v, ok := f.m[name]
	delete(f.m, name)
	return v, ok && !v.IsNull() && f.Err == nil
}

// Need is Take of a member that must be there.
func (f *Fields) Need(name string) (Value, bool) {
	v, ok := f.Take(name)
	if !ok {
		f.Fail(f.At.Fail("%s is missing", name))
	}
	return v, ok
}

// Uint takes an integer; without a default it must be there.
func (f *Fields) Uint(name string, otherwise *uint32) uint32 {
	if otherwise != nil {
		if v, ok := f.Peek(name); !ok || v.IsNull() {
			delete(f.m, name)
			return *otherwise
		}
	}
	v, ok := f.Need(name)
	if !ok {
		return 0
	}
	n, err := v.Uint(math.MaxUint32)
	f.Fail(err)
	return uint32(n)
}

// Float takes a number, rounded once to binary32, and returns its bits; zero as
// default means that it must be there.
func (f *Fields) Float(name string, otherwise float32) uint32 {
	if v, ok := f.Peek(name); otherwise != 0 && (!ok || v.IsNull()) {
		delete(f.m, name)
		return math.Float32bits(otherwise)
	}
	v, ok := f.Need(name)
	if !ok {
		return 0
	}
	x, err := v.Float32()
	f.Fail(err)
	return math.Float32bits(x)
}

// Flag takes a truth value.
func (f *Fields) Flag(name string, otherwise bool) bool {
	v, ok := f.Take(name)
	if !ok {
		return otherwise
	}
	on, err := v.Bool()
	f.Fail(err)
	return on
}

// Text takes a text; absent is "".
func (f *Fields) Text(name string) string {
	v, ok := f.Take(name)
	if !ok {
		return ""
	}
	s, err := v.Text()
	f.Fail(err)
	return s
}

// Rest calls check for each member that nobody took and that is not null, in
// file order, and keeps its first error. It returns Err.
func (f *Fields) Rest(check func(key string, v Value) error) error {
	for _, key := range f.keys {
		if v, left := f.m[key]; left && !v.IsNull() && f.Err == nil {
			f.Err = check(key, v)
		}
	}
	return f.Err
}

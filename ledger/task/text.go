// SPDX-License-Identifier: Apache-2.0

package task

import "fmt"

// UnmarshalText reads what MarshalText wrote.
func (s *State) UnmarshalText(b []byte) error {
	for i := range stateNames {
		if i > 0 && stateNames[i] == string(b) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no task state", b)
}

// UnmarshalText reads what MarshalText wrote.
func (k *Kind) UnmarshalText(b []byte) error {
	for _, v := range []Kind{Train, Attribute} {
		if v.String() == string(b) {
			*k = v
			return nil
		}
	}
	return fmt.Errorf("%q is no task kind", b)
}

// SPDX-License-Identifier: MPL-2.0

package command

// parseAnywhere is parse for a command whose flags may stand before and after its other
// arguments, which it returns. After "--" there are no flags.
func (f *flags) parseAnywhere(p Program, args []string) (rest []string, code int, done bool) {
	for {
		if code, done = f.parse(p, args); done {
			return nil, code, true
		}
		read := len(args) - f.NArg()
		if f.NArg() == 0 || read > 0 && args[read-1] == "--" {
			return append(rest, f.Args()...), 0, false
		}
		rest = append(rest, f.Arg(0))
		args = f.Args()[1:]
	}
}

/**
 * What a shell loads to complete `stile`: each script hands the words typed so far to `stile __complete` and offers
 * the lines that come back. Whatever goes wrong there offers nothing. Pure.
 */

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/**
 * Words are split at blanks alone: bash's own splitting parts `--for=condition=Ready` and `name:tag` at their signs,
 * which is why a candidate is offered without what stands before the last of these signs.
 */
const bash = `# stile for bash: source <(stile completion bash)
_stile() {
  local line="\${COMP_LINE:0:COMP_POINT}" current candidate
  local -a words
  read -ra words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  current="\${words[\${#words[@]}-1]}"
  local before="\${current%"\${current##*[=:]}"}"
  COMPREPLY=()
  while IFS= read -r candidate; do
    COMPREPLY+=("\${candidate#"$before"}")
  done < <(stile __complete -- "\${words[@]:1}" 2>/dev/null)
  # What goes on after its end gets no blank.
  [[ \${#COMPREPLY[@]} -eq 1 && "\${COMPREPLY[0]}" == *[=/] ]] && compopt -o nospace
  return 0
}
complete -o default -F _stile stile
`;

const zsh = `#compdef stile
# stile for zsh: source <(stile completion zsh), after compinit
_stile() {
  local candidate
  local -a whole open
  for candidate in "\${(@f)$(stile __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -z "$candidate" ]] && continue
    # What goes on after its end gets no blank.
    if [[ "$candidate" == *[=/] ]]; then open+=("$candidate"); else whole+=("$candidate"); fi
  done
  (( \${#whole} + \${#open} )) || { _files; return; }
  (( \${#whole} )) && compadd -- "\${whole[@]}"
  (( \${#open} )) && compadd -S '' -- "\${open[@]}"
}
compdef _stile stile
`;

const fish = `# stile for fish: stile completion fish | source
function __stile_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  test (count $current) -eq 0; and set current ''
  stile __complete -- $words[2..-1] $current 2>/dev/null
end
complete -c stile -a '(__stile_complete)'
`;

export const completionScripts: Record<Shell, string> = { bash, zsh, fish };

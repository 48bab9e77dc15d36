# STUB until generated
class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  plugin:
    description: [The name of this plugin.]
    type: str
    required: true
    choices: [nspawn.runner.chroots]
  root:
    description: [Directory that holds one tree per image.]
    type: path
    default: /var/lib/nspawn-runner
    env:
      - name: NSPAWN_RUNNER_ROOT
  playbook_dirs:
    description: [Directories that are searched for playbooks.]
    type: list
    elements: str
  connection:
    description: [Connection plugin that the images are entered by.]
    type: str
    default: community.general.chroot
  include:
    description: [Only images whose name matches one of these globs are listed.]
    type: list
    elements: str
    default: ["*"]
  exclude:
    description: [Images whose name matches one of these globs are not listed.]
    type: list
    elements: str
    default: []
"""

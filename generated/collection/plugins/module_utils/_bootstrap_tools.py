# STUB until generated
BOOTSTRAP_TOOLS = (
    {
        "name": "mmdebstrap",
        "program": "mmdebstrap",
        "package": "mmdebstrap",
        "under": None,
        "arguments": (
            "--mode=root", "--format=directory", "--variant={variant}", "--architectures={architecture}",
            "--components={components}", "--include={packages}", "--keyring={keyring}", "{suite}", "{tree}", "{mirror}",
        ),
        "suite_files": (),
    },
    {
        "name": "debootstrap",
        "program": "debootstrap",
        "package": "debootstrap",
        "under": "eatmydata",
        "arguments": (
            "--variant={variant}", "--arch={architecture}", "--components={components}", "--include={packages}",
            "--keyring={keyring}", "{suite}", "{tree}", "{mirror}",
        ),
        "suite_files": ("/usr/share/debootstrap/scripts/{suite}",),
    },
)
BASE_PACKAGES = ("dbus", "git", "python3", "python3-apt", "systemd")

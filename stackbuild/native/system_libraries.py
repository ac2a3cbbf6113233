"""The libraries that belong to a system, so that no package brings them along. Pure.

Linux with glibc: the libraries that PEP 600 lets wheels expect, the parts of glibc itself, and what comes with the
drivers of a machine's graphics and network hardware. musl: its C library. macOS: what is in the folders of the system.
Windows: what every release since 10 has; those of Python and of its compiler come with Python.
"""

import re

from stackbuild.targets.platforms import TargetPlatform

_GLIBC = (
    "libc.so.6 libm.so.6 libmvec.so.1 libdl.so.2 librt.so.1 libpthread.so.0 libutil.so.1 libnsl.so.1 libresolv.so.2 "
    "libanl.so.1 libgcc_s.so.1 libstdc++.so.6 libatomic.so.1 libz.so.1 libexpat.so.1 libX11.so.6 libXext.so.6 "
    "libXrender.so.1 libICE.so.6 libSM.so.6 libGL.so.1 libgobject-2.0.so.0 libgthread-2.0.so.0 "
    "libglib-2.0.so.0"
)
_LINUX = re.compile(
    r"ld-linux.*|ld-musl-.*|ld64?\.so\..*|linux-vdso.*|libpython[23].*"
    r"|lib(?:cuda|nvcuvid|OpenCL|vulkan|EGL|GLX|GLESv2|OpenGL|GLdispatch|ze_loader|ibverbs|rdmacm|mlx5)\.so\.\d+"
    r"|lib(?:nvidia|drm|va)[-_a-z0-9]*\.so.*"
)
_MUSL = re.compile(r"libc\.musl-.+|libc\.so")
_MACOS = re.compile(r"(?:/usr/lib/|/System/).*|.*libpython[23][^/]*|.*/Python")
_WINDOWS = re.compile(r"(?:api-ms-win|ext-ms)-.*|python[23]\d*t?\.dll|(?:vcruntime140|ucrtbase|msvcrt).*\.dll|.*\.drv")
_WINDOWS_NAMES = (
    "aclui "
    "advapi32 authz avicap32 avifil32 avrt bcrypt bcryptprimitives bthprops.cpl cabinet cfgmgr32 comctl32 comdlg32 "
    "credui crypt32 cryptbase cryptnet cryptui d2d1 d3d10 d3d10_1 d3d11 d3d12 d3d9 d3dcompiler_47 dbgeng dbghelp dcomp "
    "dinput8 dnsapi dsound dwmapi dwrite dxcore dxgi dxva2 evr fwpuclnt gdi32 gdi32full gdiplus glu32 hid httpapi "
    "imagehlp imm32 iphlpapi kernel32 kernelbase ksuser ktmw32 mf mfplat mfreadwrite mpr msacm32 mscms mscoree msi "
    "msimg32 mswsock msvfw32 ncrypt netapi32 newdev normaliz ntdll ntdsapi odbc32 odbccp32 ole32 oleacc oleaut32 "
    "opencl opengl32 pdh powrprof propsys psapi rasapi32 rpcrt4 rstrtmgr sechost secur32 sensapi setupapi shcore "
    "shell32 shlwapi sspicli synchronization tbs urlmon user32 userenv usp10 uxtheme version virtdisk vulkan-1 "
    "wer wevtapi windowscodecs winhttp wininet winmm winscard winspool wintrust winusb wlanapi wldap32 wldp ws2_32 "
    "wsock32 wtsapi32 xinput1_4 xinput9_1_0 xmllite nvcuda nvml nvapi64 combase coremessaging dhcpcsvc inkobjcore "
    "mfcore mfuuid ddraw d3d8 wbemuuid webauthn windows.storage win32u msctf wiatrust activeds adsldpc "
    "apphelp clusapi compstui cscapi davclnt dbgcore devobj dhcpcsvc6 dsrole dsuiext elscore esent evr fltlib hlink "
    "icu icuin icuuc kdscli loadperf logoncli lz32 mapi32 mprapi msdmo msdrm mstask ndfapi netutils ntlanman ntmarta "
    "oledlg pdhui printui profapi qmgr query quartz rasdlg resutils rtutils samcli samlib sas scrnsave sfc shdocvw "
    "slc snmpapi srvcli sti t2embed tapi32 traffic txfw32 uiautomationcore uireng umpdc verifier vssapi wdsclient "
    "webservices wecapi winbio windowscodecsext winsta wkscli wlanui wmvcore wpcap wsdapi wsmsvc wtsapi32"
)

_NAMES_WITH_GLIBC = frozenset(_GLIBC.split())
_NAMES_ON_WINDOWS = frozenset(_WINDOWS_NAMES.split())


def is_of_system(library: str, platform: TargetPlatform, *, libc: str) -> bool:
    """Whether the system of a platform has the library that a native file names so. `libc`: of layers for Linux."""
    if platform.is_macos:
        return _MACOS.fullmatch(library) is not None
    if platform.is_windows:
        lower = library.lower()
        return lower.removesuffix(".dll") in _NAMES_ON_WINDOWS or _WINDOWS.fullmatch(lower) is not None
    if _LINUX.fullmatch(library):
        return True
    return library in _NAMES_WITH_GLIBC if libc == "glibc" else _MUSL.fullmatch(library) is not None

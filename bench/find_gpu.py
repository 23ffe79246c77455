"""Whether this machine has a GPU that CUDA's driver knows, asked without torch. Exit 3, and one sentence, where it
has none."""
import ctypes
import sys

NO_GPU = 3


def missing(library="libcuda.so.1"):
    """Why there is no GPU; "" where there is one."""
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return f"the driver ({library}) is not installed"
    try:
        result = driver.cuInit(0)
        if result != 0:
            text = ctypes.c_char_p()
            driver.cuGetErrorString(result, ctypes.byref(text))
            return f"the driver finds none ({(text.value or b'error').decode()})"
        count = ctypes.c_int()
        if driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
            return "the driver finds none"
    except AttributeError:
        return f"{library} is no driver of CUDA"
    return ""


def main():
    why = missing()
    if not why:
        return 0
    print(f"no GPU here: {why}; no number is written")
    return NO_GPU


if __name__ == "__main__":
    sys.exit(main())

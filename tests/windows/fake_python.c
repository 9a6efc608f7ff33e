/* Stands for python.exe in the tests of install.bat: answers the version check, otherwise prints its arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

int wmain(int argc, wchar_t **argv) {
    char text[4096];
    for (int i = 1; i < argc; i++)
        if (!wcscmp(argv[i], L"-c")) return number("FAKE_CHECK");
    for (int i = 1; i < argc; i++) {
        WideCharToMultiByte(CP_UTF8, 0, argv[i], -1, text, sizeof text, NULL, NULL);
        printf("<%s>\n", text);
    }
    const char *shown = getenv("FAKE_SHOW");
    if (shown) printf("<%s=%s>\n", shown, getenv(shown) ? getenv(shown) : "");
    return number("FAKE_CODE");
}
